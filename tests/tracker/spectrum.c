/* Spectral metrics against NumPy goldens (tests/golden/spectra), and the defined results of degenerate matrices. */
#include "tracker/spectrum.h"

#include <check.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

/* The numbers of make_spectra.py. */
static double *uniform(uint64_t seed, size_t n) {
    double *out = malloc(sizeof(double) * n);
    for (size_t i = 0; i < n; i++) out[i] = ms_congruential_uniform(&seed);
    return out;
}

/* sum over k of decay^k x_k y_k^T; the caller frees it. */
static double *planted(uint64_t seed, int rows, int cols, int rank, double decay) {
    double *x = uniform(seed, (size_t)rows * rank), *y = uniform(seed + 1, (size_t)rank * cols);
    double *total = calloc((size_t)rows * cols, sizeof(double));
    for (int k = 0; k < rank; k++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++) total[i * cols + j] += pow(decay, k) * x[i * rank + k] * y[k * cols + j];
    free(x);
    free(y);
    return total;
}

static double number(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static int integer(const json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key));
}

static void make_matrices(const json_t *golden, float *before, float *after) {
    int rows = integer(golden, "rows"), cols = integer(golden, "cols"), update_rank = integer(golden, "update_rank");
    uint64_t seed = (uint64_t)integer(golden, "seed");
    size_t n = (size_t)rows * cols;
    double *noise = uniform(seed, n);
    double *base = planted(seed + 1, rows, cols, integer(golden, "rank"), number(golden, "decay"));
    double *change = update_rank ? planted(seed + 3, rows, cols, update_rank, 0.9) : uniform(seed + 3, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        before[i] = (float)(number(golden, "noise") * noise[i] + base[i]);
        after[i] = (float)((double)before[i] + number(golden, "update") * change[i]);
        sum += after[i];
    }
    ck_assert_double_eq_tol(sum, number(golden, "sum_after"), 1e-9 * (double)n);
    free(noise);
    free(base);
    free(change);
}

static void compute(const char *name, const float *before, const float *after, int rows, int cols, ms_spectrum *out) {
    ms_spectrum_scratch *scratch;
    int smaller = rows < cols ? rows : cols, longer = rows < cols ? cols : rows;
    ck_assert_int_eq(ms_spectrum_scratch_create(smaller, longer, &scratch), MS_OK);
    ms_spectrum_input input = {name, before, after, rows, cols};
    ms_status status = ms_spectrum_compute(scratch, &input, out);
    ck_assert_msg(status == MS_OK, "%s: %s", name, ms_status_message());
    ms_spectrum_scratch_destroy(scratch);
}

/* Within 1e-6, relative above 1; null means NaN. */
static void check_value(const char *name, const char *key, double actual, const json_t *expected) {
    ck_assert_msg(expected != NULL, "%s: golden lacks %s", name, key);
    if (json_is_null(expected)) {
        ck_assert_msg(isnan(actual), "%s: %s is %g, expected undefined", name, key, actual);
        return;
    }
    double value = json_number_value(expected);
    ck_assert_msg(fabs(actual - value) <= 1e-6 * fmax(1, fabs(value)), "%s: %s is %.12g, golden %.12g", name, key,
                  actual, value);
}

START_TEST(goldens) {
    json_error_t error;
    json_t *file = json_load_file("tests/golden/spectra/spectra.json", 0, &error);
    ck_assert_msg(file != NULL, "%s", error.text);
    json_t *cases = json_object_get(file, "cases"), *golden;
    ck_assert_uint_ge(json_array_size(cases), 13);
    size_t i;
    json_array_foreach(cases, i, golden) {
        const char *name = json_string_value(json_object_get(golden, "name"));
        int rows = integer(golden, "rows"), cols = integer(golden, "cols");
        float *before = malloc(sizeof(float) * rows * cols), *after = malloc(sizeof(float) * rows * cols);
        make_matrices(golden, before, after);
        ms_spectrum actual;
        compute(name, before, after, rows, cols, &actual);
        json_t *metrics = json_object_get(golden, "metrics");
#define X(key) check_value(name, #key, actual.key, json_object_get(metrics, #key));
        MS_SPECTRUM_SCALARS(X)
#undef X
        json_t *top = json_object_get(metrics, "sigma_top"), *velocity = json_object_get(metrics, "velocity_top");
        ck_assert_int_eq(actual.n_top, (int)json_array_size(top));
        for (int k = 0; k < actual.n_top; k++) {
            check_value(name, "sigma_top", actual.sigma_top[k], json_array_get(top, k));
            if (json_is_number(json_array_get(velocity, k)))
                check_value(name, "velocity_top", actual.velocity_top[k], json_array_get(velocity, k));
        }
        free(before);
        free(after);
    }
    json_decref(file);
}
END_TEST

START_TEST(zero_matrix) {
    float zero[8 * 12] = {0};
    ms_spectrum out;
    compute("zero", zero, zero, 8, 12, &out);
    ck_assert_double_eq(out.sigma_max, 0);
    ck_assert_double_eq(out.sigma_mean, 0);
    ck_assert_double_eq(out.frobenius, 0);
    ck_assert_int_eq(out.n_top, 8);
    ck_assert_double_eq(out.sigma_top[7], 0);
    ck_assert(isnan(out.gap) && isnan(out.stable_rank) && isnan(out.effective_rank) && isnan(out.entropy_l1));
    ck_assert(isnan(out.spectral_entropy) && isnan(out.orthogonality_error) && isnan(out.alignment_left));
    ck_assert(isnan(out.alignment_right) && isnan(out.alignment_margin) && isnan(out.cosine));
    ck_assert(isnan(out.update_ratio) && isnan(out.velocity_top[0]));
}
END_TEST

START_TEST(no_update) {
    float weight[9 * 7];
    for (int i = 0; i < 63; i++) weight[i] = (float)sin(i * i + 1);
    ms_spectrum out;
    compute("still", weight, weight, 9, 7, &out);
    ck_assert(isnan(out.alignment_left) && isnan(out.alignment_right) && isnan(out.alignment_margin));
    ck_assert(isnan(out.cosine));
    ck_assert_double_eq(out.update_ratio, 0);
    for (int k = 0; k < 7; k++) ck_assert_double_eq(out.velocity_top[k], 0);
    ck_assert(out.sigma_max > 0);
}
END_TEST

START_TEST(first_update_of_zero) {
    float zero[9 * 7] = {0}, weight[9 * 7];
    for (int i = 0; i < 63; i++) weight[i] = (float)sin(i * i + 1);
    ms_spectrum out;
    compute("first", zero, weight, 9, 7, &out); /* dW = W */
    ck_assert_double_eq_tol(out.alignment_left, 1, 1e-12);
    ck_assert_double_eq_tol(out.alignment_right, 1, 1e-12);
    ck_assert_double_eq_tol(out.cosine, 1, 1e-12);
    for (int k = 0; k < 7; k++) ck_assert_double_eq_tol(out.velocity_top[k], out.sigma_top[k], 1e-10);
}
END_TEST

START_TEST(rank_one) {
    float before[20 * 16], after[20 * 16];
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 16; j++) {
            before[i * 16 + j] = (float)((i + 1) * (j + 1)); /* integers: exactly rank 1 */
            after[i * 16 + j] = 2 * before[i * 16 + j];
        }
    ms_spectrum out;
    compute("rank one", before, after, 20, 16, &out);
    double expected = 2 * sqrt(2870.0 * 1496.0); /* sums of squares 1..20 and 1..16 */
    ck_assert_double_eq_tol(out.sigma_max, expected, 1e-9 * expected);
    ck_assert_double_eq_tol(out.velocity_top[0], expected / 2, 1e-9 * expected);
    ck_assert_double_eq_tol(out.stable_rank, 1, 1e-12);
    ck_assert_double_eq_tol(out.effective_rank, 1, 1e-9);
    ck_assert_double_eq_tol(out.entropy_l1, 0, 1e-9);
    ck_assert(isnan(out.gap) && isnan(out.alignment_left) && isnan(out.alignment_right));
    ck_assert(isnan(out.velocity_top[1]));
    ck_assert_double_eq_tol(out.alignment_margin, 0, 1e-12);
}
END_TEST

START_TEST(identity) {
    float zero[12 * 12] = {0}, unit[12 * 12] = {0};
    for (int i = 0; i < 12; i++) unit[i * 13] = 3;
    ms_spectrum out;
    compute("identity", zero, unit, 12, 12, &out); /* fully degenerate, and the tridiagonal form splits everywhere */
    ck_assert_double_eq_tol(out.sigma_max, 3, 1e-12);
    ck_assert_double_eq_tol(out.gap, 1, 1e-12);
    ck_assert_double_eq_tol(out.orthogonality_error, 0, 1e-12);
    ck_assert_double_eq_tol(out.spectral_entropy, 1, 1e-12);
    ck_assert_double_eq_tol(out.effective_rank, 12, 1e-9);
    ck_assert_double_eq_tol(out.alignment_margin, 0, 1e-12);
}
END_TEST

START_TEST(single_element) {
    float before = 2, after = -3;
    ms_spectrum out;
    compute("scalar", &before, &after, 1, 1, &out);
    ck_assert_double_eq(out.sigma_max, 3);
    ck_assert_double_eq(out.stable_rank, 1);
    ck_assert_double_eq(out.velocity_top[0], 5); /* |s| grew by 5 to first order: u v = -1, dW = -5 */
    ck_assert(isnan(out.gap) && isnan(out.entropy_l1) && isnan(out.spectral_entropy));
    ck_assert_double_eq(out.alignment_random, 1);
}
END_TEST

START_TEST(non_finite) {
    float before[6 * 8], after[6 * 8];
    for (int i = 0; i < 48; i++) before[i] = after[i] = (float)cos(i * i);
    ms_spectrum_scratch *scratch;
    ck_assert_int_eq(ms_spectrum_scratch_create(6, 8, &scratch), MS_OK);
    ms_spectrum_input input = {"layer 3 up", before, after, 6, 8};
    ms_spectrum out;
    after[19] = NAN;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 3 up"));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "(2, 3) after"));
    after[19] = 1;
    before[8] = INFINITY;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "(1, 0) before"));
    input.rows = 9;
    ck_assert_int_eq(ms_spectrum_compute(scratch, &input, &out), MS_INVALID);
    ms_spectrum_scratch_destroy(scratch);
    ck_assert_int_eq(ms_spectrum_scratch_create(9, 8, &scratch), MS_INVALID);
    ck_assert_ptr_null(scratch);
}
END_TEST

START_TEST(scratch_of_sides_that_are_none) {
    static const int refused[][2] = {{-1, -1}, {0, 0}, {0, 8}, {9, 8}, {INT_MIN, INT_MIN}};
    ms_spectrum_scratch *scratch;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_uint_eq(ms_spectrum_scratch_bytes(refused[i][0], refused[i][1]), 0);
        ck_assert_int_eq(ms_spectrum_scratch_create(refused[i][0], refused[i][1], &scratch), MS_INVALID);
    }
    ck_assert_uint_gt(ms_spectrum_scratch_bytes(1, 1), 0);
    ck_assert_uint_gt(ms_spectrum_scratch_bytes((1 << 30) - 1, INT_MAX), (size_t)1 << 62);
    ck_assert_uint_eq(ms_spectrum_scratch_bytes(1 << 30, INT_MAX), SIZE_MAX);
    ck_assert_int_eq(ms_spectrum_scratch_create(INT_MAX, INT_MAX, &scratch), MS_OUT_OF_MEMORY);
    ck_assert_ptr_null(scratch);
}
END_TEST

START_TEST(extreme_scales) {
    float before[7 * 7] = {0}, after[7 * 7];
    const float scales[] = {1e-38f, 1e37f};
    double stable_rank[2];
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 49; i++) after[i] = scales[k] * (float)((i * 37) % 64 - 31);
        ms_spectrum out;
        compute("extreme", before, after, 7, 7, &out);
        stable_rank[k] = out.stable_rank;
    }
    ck_assert_double_eq_tol(stable_rank[0], stable_rank[1], 1e-5);
}
END_TEST

START_TEST(random_baseline) {
    ck_assert_double_eq_tol(ms_alignment_random(512), 0.084, 5e-4);
    ck_assert_double_eq_tol(ms_alignment_random(256), 0.119, 5e-4);
    ck_assert_double_eq_tol(ms_alignment_random(2048), 0.042, 5e-4);
    ck_assert_double_eq(ms_alignment_random(3), 1);
}
END_TEST

/* The flat call gives what ms_spectrum_compute gives, and all values; rank 12 of 40 goes through the direct SVD. */
START_TEST(of_matrix) {
    enum { ROWS = 40, COLS = 56 };
    for (int rank = 12; rank <= ROWS; rank += ROWS - 12) {
        double *planted_matrix = planted(3, ROWS, COLS, rank, 0.9), values[ROWS], scalars[MS_SPECTRUM_N_SCALARS];
        float matrix[ROWS * COLS];
        for (int i = 0; i < ROWS * COLS; i++) matrix[i] = (float)planted_matrix[i];
        free(planted_matrix);
        ms_spectrum expected;
        compute("expected", matrix, matrix, ROWS, COLS, &expected);
        ms_must(ms_spectrum_of_matrix(matrix, ROWS, COLS, values, scalars));
        double squares = 0;
        for (int i = 0; i < ROWS; i++) {
            ck_assert(i == 0 || values[i] <= values[i - 1]);
            if (i < MS_SPECTRUM_TOP) ck_assert_double_eq(values[i], expected.sigma_top[i]);
            squares += values[i] * values[i];
        }
        ck_assert_double_eq_tol(sqrt(squares), expected.frobenius, 1e-12 * expected.frobenius);
        ck_assert(rank == ROWS || values[rank - 1] > 1e3 * values[rank]);
        ck_assert_double_eq(scalars[MS_SPECTRUM_INDEX_sigma_max], expected.sigma_max);
        ck_assert_double_eq(scalars[MS_SPECTRUM_INDEX_effective_rank], expected.effective_rank);
        ck_assert(isnan(scalars[MS_SPECTRUM_INDEX_cosine]));
        ms_must(ms_spectrum_of_matrix(matrix, ROWS, COLS, NULL, NULL));
    }
    float some[6] = {1, 2, 3, 4, NAN, 6};
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 0, 1, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [0, 1]: it is empty");
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 3, -2, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, -2]: it is empty");
    ck_assert_int_eq(ms_spectrum_of_matrix(NULL, 3, 2, NULL, NULL), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, 2]: no values are given");
    ck_assert_int_eq(ms_spectrum_of_matrix(some, 3, 2, NULL, NULL), MS_NUMERIC);
    ck_assert_str_eq(ms_status_message(), "spectrum of a matrix [3, 2]: element (2, 0) is nan");
    ck_assert_str_eq(ms_spectrum_scalar_name(0), "sigma_max");
    ck_assert_str_eq(ms_spectrum_scalar_name(MS_SPECTRUM_N_SCALARS - 1), "update_ratio");
    ck_assert_ptr_null(ms_spectrum_scalar_name(MS_SPECTRUM_N_SCALARS));
    ck_assert_ptr_null(ms_spectrum_scalar_name(-1));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("spectrum");
    tcase_add_test(tests, goldens);
    tcase_add_test(tests, zero_matrix);
    tcase_add_test(tests, no_update);
    tcase_add_test(tests, first_update_of_zero);
    tcase_add_test(tests, rank_one);
    tcase_add_test(tests, identity);
    tcase_add_test(tests, single_element);
    tcase_add_test(tests, non_finite);
    tcase_add_test(tests, scratch_of_sides_that_are_none);
    tcase_add_test(tests, extreme_scales);
    tcase_add_test(tests, random_baseline);
    tcase_add_test(tests, of_matrix);
    Suite *suite = suite_create("tracker/spectrum");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
