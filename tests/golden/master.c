/* Ten updates with weights and optimizer state in bf16 against NumPy (make_master.py): to the bit in the f64 oracle; in
   f32 a sum that falls on the other side of a tie may round the other way. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/safetensors.h"
#include "optim/optimizer.h"
#include "tests/support/suite.h"

enum { N_STEPS = 10, N_PARAMETERS = 3 };

static const char *const names[N_PARAMETERS] = {"matrix", "gain", "table"};

typedef struct problem {
    ms_safetensors *golden;
    ms_device *device;
    ms_variables *variables;
    ms_optimizer optimizer;
    ms_store *store;
    ms_program *program;
    int weights[N_PARAMETERS], gradients[N_PARAMETERS];
} problem;

static const ms_safetensor *find(const problem *p, const char *prefix, const char *name) {
    char full[64];
    const ms_safetensor *tensor;
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    ms_must(ms_safetensors_find(p->golden, full, &tensor));
    return tensor;
}

static int64_t count_of(const ms_safetensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= tensor->shape[i];
    return count;
}

static void add_parameters(problem *p, ms_optimizer_parameter *parameters) {
    for (int i = 0; i < N_PARAMETERS; i++) {
        const ms_safetensor *initial = find(p, "initial", names[i]);
        char gradient[64];
        ms_shape shape = ms_shape_2(initial->shape[0], initial->shape[1]);
        if (initial->rank == 3) shape = ms_shape_3(initial->shape[0], initial->shape[1], initial->shape[2]);
        snprintf(gradient, sizeof gradient, "gradient.%s", names[i]);
        ms_must(ms_variables_add(p->variables, names[i], MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shape, &p->weights[i]));
        ms_must(ms_variables_add(p->variables, gradient, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shape, &p->gradients[i]));
        parameters[i] = (ms_optimizer_parameter){.variable = p->weights[i], .gradient = p->gradients[i]};
        parameters[i].is_matrix = initial->rank == 3;
        parameters[i].n_groups = initial->rank == 3;
        parameters[i].group_rows[0] = initial->shape[1];
    }
}

static void start(problem *p, ms_numerics numerics, ms_dtype master) {
    ms_optimizer_parameter parameters[N_PARAMETERS];
    memset(p, 0, sizeof *p);
    ms_must(ms_safetensors_open("tests/golden/master.safetensors", &p->golden));
    ms_must(ms_variables_create(&p->variables));
    add_parameters(p, parameters);
    const ms_optimizer_config config = {.kind = MS_OPTIMIZER_MUON,
                                        .gradient_clip = 1,
                                        .master = master,
                                        .muon = {.lr = 0.024, .momentum = 0.95, .nesterov = true},
                                        .adamw = {.lr = 0.0005, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f}};
    ms_must(ms_optimizer_init(&config, p->variables, parameters, N_PARAMETERS, &p->optimizer));
    const ms_device_options options = {.name = "cpu", .numerics = numerics, .n_threads = 2};
    ms_must(ms_device_open(&options, &p->device));
    ms_must(ms_store_create(p->device, p->variables, &p->store));
    ms_graph *graph, *finished;
    ms_must(ms_graph_create(p->variables, p->optimizer.step_scalars, &graph));
    ms_must(ms_optimizer_update(&p->optimizer, graph));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(p->store, finished, &p->program));
    ms_graph_destroy(graph);
    ms_graph_destroy(finished);
    for (int i = 0; i < N_PARAMETERS; i++) {
        const ms_safetensor *initial = find(p, "initial", names[i]);
        ms_must(ms_store_upload(p->store, p->weights[i], 0, count_of(initial), initial->data));
    }
}

static void finish(problem *p) {
    ms_program_destroy(p->program);
    ms_store_destroy(p->store);
    ms_device_close(p->device);
    ms_variables_destroy(p->variables);
    ms_safetensors_close(p->golden);
}

static void train(problem *p) {
    for (int step = 0; step < N_STEPS; step++) {
        ms_optimizer_step at;
        ms_must(ms_optimizer_step_at(&p->optimizer, step, 1, &at));
        ms_must(ms_store_upload(p->store, p->optimizer.step_scalars, 0, p->optimizer.n_step_scalars, at.scalars));
        for (int i = 0; i < N_PARAMETERS; i++) {
            const ms_safetensor *gradient = find(p, "gradient", names[i]);
            int64_t count = count_of(gradient) / N_STEPS;
            ms_must(ms_store_upload(p->store, p->gradients[i], 0, count, (const float *)gradient->data + step * count));
        }
        ms_must(ms_program_run(p->program));
    }
}

static bool is_bf16(double value) {
    float f32 = (float)value;
    uint32_t bits;
    memcpy(&bits, &f32, sizeof bits);
    return (double)f32 == value && (bits & 0xffffu) == 0;
}

/* How many values differ, of which none by more than one unit of bf16's last place. */
static int64_t compare(const problem *p, const char *variable, const char *prefix, const char *name) {
    const ms_safetensor *wanted = find(p, prefix, name);
    int64_t count = count_of(wanted), n_different = 0;
    double *have = malloc((size_t)count * sizeof *have);
    int index = ms_variables_find(p->variables, variable);
    ck_assert_msg(index >= 0, "no variable %s", variable);
    ms_must(ms_store_download_f64(p->store, index, 0, count, have));
    for (int64_t i = 0; i < count; i++) {
        double want = (double)((const float *)wanted->data)[i];
        ck_assert_msg(is_bf16(have[i]), "%s, element %lld: %.9g is no bf16", variable, (long long)i, have[i]);
        ck_assert_msg(fabs(have[i] - want) <= fabs(want) / 128, "%s, element %lld: %.9g, NumPy %.9g", variable,
                      (long long)i, have[i], want);
        n_different += have[i] != want;
    }
    free(have);
    return n_different;
}

static int64_t compare_all(const problem *p) {
    static const char *const states[] = {"momentum", "second_moment"};
    int64_t n_different = 0;
    for (int i = 0; i < N_PARAMETERS; i++) {
        n_different += compare(p, names[i], "final", names[i]);
        for (int j = 0; j < (i == 0 ? 1 : 2); j++) {
            char variable[64];
            snprintf(variable, sizeof variable, "%s.%s", states[j], names[i]);
            n_different += compare(p, variable, states[j], names[i]);
        }
    }
    return n_different;
}

static const struct {
    ms_numerics numerics;
    int64_t most_different; /* of 912 values */
} cases[] = {{MS_NUMERICS_ORACLE, 0}, {MS_NUMERICS_EXACT, 4}, {MS_NUMERICS_FAST, 4}};

START_TEST(bf16_master_equals_numpy) {
    problem p;
    start(&p, cases[_i].numerics, MS_DTYPE_BF16);
    train(&p);
    ck_assert_int_le(compare_all(&p), cases[_i].most_different);
    finish(&p);
}
END_TEST

/* A step of 0.0005 is less than half of what bf16 can take from 1, and f32 takes it. */
START_TEST(gains_stay_at_1_in_bf16_alone) {
    double gains[2][16];
    for (int i = 0; i < 2; i++) {
        problem p;
        start(&p, MS_NUMERICS_EXACT, i ? MS_DTYPE_BF16 : MS_DTYPE_F32);
        train(&p);
        ms_must(ms_store_download_f64(p.store, p.weights[1], 0, 16, gains[i]));
        if (i == 0) {
            const float *wanted = find(&p, "f32", "gain")->data;
            for (int j = 0; j < 16; j++) ck_assert_double_eq_tol(gains[0][j], (double)wanted[j], 1e-6);
        }
        finish(&p);
    }
    for (int j = 0; j < 16; j++) {
        ck_assert_double_eq(gains[1][j], 1);
        ck_assert_double_ne(gains[0][j], 1);
    }
}
END_TEST

/* What the update's norm says is what the weights changed by. */
START_TEST(update_norm_is_of_the_change) {
    problem p;
    double after[20 * 8], squares[4], sum = 0;
    start(&p, MS_NUMERICS_ORACLE, MS_DTYPE_BF16);
    const float *before = find(&p, "initial", "table")->data;
    ms_optimizer_step at;
    ms_must(ms_optimizer_step_at(&p.optimizer, 0, 1, &at));
    ms_must(ms_store_upload(p.store, p.optimizer.step_scalars, 0, p.optimizer.n_step_scalars, at.scalars));
    for (int i = 0; i < N_PARAMETERS; i++) {
        const ms_safetensor *gradient = find(&p, "gradient", names[i]);
        ms_must(ms_store_upload(p.store, p.gradients[i], 0, count_of(gradient) / N_STEPS, gradient->data));
    }
    ms_must(ms_program_run(p.program));
    ms_must(ms_store_download_f64(p.store, p.weights[2], 0, 20 * 8, after));
    ms_must(ms_store_download_f64(p.store, p.optimizer.update_squares, 0, 4, squares));
    for (int i = 0; i < 20 * 8; i++) sum += pow(after[i] - (double)before[i], 2);
    ck_assert_double_eq_tol(squares[ms_optimizer_norm_index(&p.optimizer, 2, 0, 0)], sum, 1e-12 * sum);
    ck_assert_double_eq(squares[ms_optimizer_norm_index(&p.optimizer, 1, 0, 0)], 0); /* the gains, at 1 */
    finish(&p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("master");
    TCase *tcase = tcase_create("master");
    tcase_add_loop_test(tcase, bf16_master_equals_numpy, 0, 3);
    tcase_add_test(tcase, gains_stay_at_1_in_bf16_alone);
    tcase_add_test(tcase, update_norm_is_of_the_change);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
