/* Orthogonalisation: the published ranges of singular values, and equality with PyTorch in f64. */
#include "optim/orthogonalise.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/safetensors.h"
#include "tests/support/suite.h"

/* out = orthogonalise(in) for a stack of matrices, in the f64 oracle. */
static void run_power(const double *in, ms_shape shape, ms_exponent exponent, ms_coefficients coefficients,
                      double *out) {
    ms_variables *variables;
    ms_device *device;
    ms_store *store;
    ms_graph *graph, *finished;
    ms_program *program;
    int input, output;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_variables_add(variables, "input", MS_VARIABLE_INPUT, MS_DTYPE_F32, shape, &input));
    ms_must(ms_variables_add(variables, "output", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, shape, &output));
    ms_device_options options = {"cpu", MS_NUMERICS_ORACLE, 2};
    ms_must(ms_device_open(&options, &device));
    ms_must(ms_store_create(device, variables, &store));
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_tensor power = ms_spectral_power(graph, ms_view_all(graph, input), exponent, coefficients);
    ms_assign(graph, power, ms_view_all(graph, output));
    ms_must(ms_graph_status(graph));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(store, finished, &program));
    ms_must(ms_store_upload_f64(store, input, 0, ms_shape_count(&shape), in));
    ms_must(ms_program_run(program));
    ms_must(ms_store_download_f64(store, output, 0, ms_shape_count(&shape), out));
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    ms_store_destroy(store);
    ms_device_close(device);
    ms_variables_destroy(variables);
}

static void run_oracle(const double *in, ms_shape shape, ms_coefficients coefficients, double *out) {
    run_power(in, shape, MS_EXPONENT_0, coefficients, out);
}

/* Diagonal 2 x 2 matrices diag(1, ratio): after normalisation the small singular value is ratio / sqrt(1 + ratio^2)
   / 1.01, so a sweep of ratios covers the inputs from 1e-3 to 0.7, and ratio 0 gives the largest possible input, 1
   / 1.01. */
enum { N_RATIOS = 20000 };

/* Range over inputs >= lowest of the output of the polynomial. */
static void output_range(ms_coefficients coefficients, double lowest, double *out_low, double *out_high) {
    double *in = calloc(4 * N_RATIOS, sizeof *in), *out = calloc(4 * N_RATIOS, sizeof *out);
    for (int i = 0; i < N_RATIOS; i++) {
        in[4 * i] = 1;
        in[4 * i + 3] = i == 0 ? 0 : exp(log(5e-4) * (1 - (double)i / (N_RATIOS - 1)));
    }
    run_oracle(in, ms_shape_3(N_RATIOS, 2, 2), coefficients, out);
    *out_low = INFINITY;
    *out_high = 0;
    for (int i = 0; i < N_RATIOS; i++) {
        double norm = sqrt(1 + in[4 * i + 3] * in[4 * i + 3]) * 1.01 + 1e-7;
        for (int j = 0; j < 4; j += 3) {
            if (in[4 * i + j] / norm < lowest) continue;
            *out_low = fmin(*out_low, out[4 * i + j]);
            *out_high = fmax(*out_high, out[4 * i + j]);
        }
    }
    free(in);
    free(out);
}

/* Ranges as published with the sets (see optim/README.md), for inputs from 1e-3 (and for Jordan's also 1e-2)
   upwards. */
START_TEST(test_output_singular_values) {
    static const struct {
        ms_coefficients set;
        double lowest, low, high;
    } published[] = {{MS_COEFFICIENTS_POLAR_EXPRESS, 1e-3, 0.859, 1.141},
                     {MS_COEFFICIENTS_JORDAN, 1e-3, 0.471, 1.202},
                     {MS_COEFFICIENTS_JORDAN, 1e-2, 0.682, 1.134},
                     {MS_COEFFICIENTS_MODULA, 1e-3, 0.866, 0.999},
                     {MS_COEFFICIENTS_JORDAN_CONVERGENT, 1e-3, 1.000, 1.001}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        double low, high;
        output_range(published[i].set, published[i].lowest, &low, &high);
        const char *name = ms_coefficients_names[published[i].set];
        ck_assert_msg(low >= published[i].low - 0.001 && high <= published[i].high + 0.001,
                      "%s from %g: [%.4f, %.4f], published [%.3f, %.3f]", name, published[i].lowest, low, high,
                      published[i].low, published[i].high);
        /* The range is reached, too: a set that only ever gave 1 would not be this set. */
        ck_assert_msg(fabs(low - published[i].low) < 0.002, "%s from %g: lowest %.4f, published %.3f", name,
                      published[i].lowest, low, published[i].low);
    }
}
END_TEST

/* What the soft cap relies on; nor is it far above what occurs. */
START_TEST(test_no_result_exceeds_the_highest) {
    for (int set = 0; set < MS_COEFFICIENTS_COUNT; set++) {
        double low, high, highest = ms_coefficients_get((ms_coefficients)set)->highest;
        output_range((ms_coefficients)set, 0, &low, &high);
        ck_assert_msg(high <= highest && high > highest - 0.002, "%s: highest %.5f, at most %.5f",
                      ms_coefficients_names[set], high, highest);
    }
}
END_TEST

/* diag(1, ratio) becomes sqrt(2) diag(a, b) / |(a, b)| with a, b near the powers of the normalised values: b / a is off
   by both their errors at most. */
START_TEST(test_spectral_powers) {
    static const double p[] = {0, 0.25, 0.5, 0.75, 1};
    double *in = calloc(4 * N_RATIOS, sizeof *in), *out = calloc(4 * N_RATIOS, sizeof *out);
    for (int i = 0; i < N_RATIOS; i++) {
        in[4 * i] = 1;
        in[4 * i + 3] = exp(log(1.5e-3) * (1 - (double)i / (N_RATIOS - 1)));
    }
    for (int exponent = MS_EXPONENT_QUARTER; exponent < MS_EXPONENT_COUNT; exponent++) {
        const ms_exponent_set *set = ms_exponent_get((ms_exponent)exponent);
        run_power(in, ms_shape_3(N_RATIOS, 2, 2), (ms_exponent)exponent, MS_COEFFICIENTS_POLAR_EXPRESS, out);
        double worst = 0, least = (1 - set->largest_error) / (1 + set->largest_error);
        for (int i = 0; i < N_RATIOS; i++) {
            ck_assert_double_eq_tol(pow(out[4 * i], 2) + pow(out[4 * i + 3], 2), 2, 1e-6);
            double quotient = out[4 * i + 3] / out[4 * i] / pow(in[4 * i + 3], p[exponent]);
            ck_assert_msg(quotient > least - 1e-5 && quotient < 1 / least + 1e-5, "p %s, ratio %g: %.5f, least %.5f",
                          ms_exponent_names[exponent], in[4 * i + 3], quotient, least);
            worst = fmax(worst, fabs(quotient - 1));
        }
        /* The error is reached, too. */
        ck_assert_msg(worst >= 0.9 * set->largest_error, "p %s: worst %.5f, the table says %.5f",
                      ms_exponent_names[exponent], worst, set->largest_error);
    }
    free(in);
    free(out);
}
END_TEST

START_TEST(test_equals_pytorch_in_f64) {
    static const char *const shapes[] = {"8x8", "24x16", "16x24", "5x13", "1x7"};
    ms_safetensors *file;
    ms_must(ms_safetensors_open("tests/golden/model/orthogonalise.safetensors", &file));
    for (int set = 0; set < MS_COEFFICIENTS_COUNT; set++) {
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            char name[96];
            const ms_safetensor *input, *output;
            snprintf(name, sizeof name, "input.%s", shapes[i]);
            ms_must(ms_safetensors_find(file, name, &input));
            snprintf(name, sizeof name, "output.%s.%s", ms_coefficients_names[set], shapes[i]);
            ms_must(ms_safetensors_find(file, name, &output));
            int64_t count = input->shape[0] * input->shape[1];
            double in[512], out[512];
            for (int64_t j = 0; j < count; j++) in[j] = ((const float *)input->data)[j];
            run_oracle(in, ms_shape_3(1, input->shape[0], input->shape[1]), (ms_coefficients)set, out);
            /* The coefficients are f32 attributes of the graph: relative 6e-8, amplified by the iteration. */
            for (int64_t j = 0; j < count; j++)
                ck_assert_msg(fabs(out[j] - ((const double *)output->data)[j]) < 2e-5,
                              "%s element %lld: %.9f, PyTorch %.9f", name, (long long)j, out[j],
                              ((const double *)output->data)[j]);
        }
    }
    ms_safetensors_close(file);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("orthogonalise");
    TCase *tcase = tcase_create("orthogonalise");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_output_singular_values);
    tcase_add_test(tcase, test_no_result_exceeds_the_highest);
    tcase_add_test(tcase, test_spectral_powers);
    tcase_add_test(tcase, test_equals_pytorch_in_f64);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
