/* A rule that only the tests know trains with the shared norms, clipping and application beside AdamW, and every number
   is compared with plain loops in f64. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "optim/optimizer.h"
#include "tests/optim/row_adam.h"
#include "tests/support/suite.h"

/* ---- the problem: loss 1/2 sum curvature (w - goal)^2 of a stack of matrices and of gains ---- */

enum { LAYERS = 2, ROWS = 3, COLUMNS = 5, N_MATRIX = LAYERS * ROWS * COLUMNS, N_GAIN = LAYERS * COLUMNS, N_STEPS = 40 };
enum { MATRIX, GAIN, N_PARAMETERS };

static const int64_t counts[N_PARAMETERS] = {N_MATRIX, N_GAIN};

static double goal(int p, int i) { return sin(1.7 * i + p); }
static double curvature(int p, int i) { return 0.5 + 0.25 * ((i * 7 + p) % 5); }
static double factor_at(int step) { return 1 - 0.5 * step / N_STEPS; }

typedef struct problem {
    ms_numerics numerics;
    ms_device *device;
    ms_variables *variables;
    ms_store *store;
    ms_program *program;
    ms_optimizer optimizer;
    row_adam_settings settings;
} problem;

static void upload(const problem *p, int variable, const double *values, int64_t count) {
    ms_must(ms_store_upload_f64(p->store, variable, 0, count, values));
}

static void download(const problem *p, int variable, int64_t count, double *out) {
    ms_must(ms_store_download_f64(p->store, variable, 0, count, out));
}

static ms_optimizer_config configure(const row_adam_settings *settings, float clip) {
    return (ms_optimizer_config){
        .matrices_rule = {&row_adam_rule, settings},
        .gradient_clip = clip,
        .adamw = {.lr = 0.05, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .matrix_decay = 0.5f}};
}

static int add(problem *p, const char *name, ms_variable_kind kind, ms_shape shape) {
    int index;
    ms_must(ms_variables_add(p->variables, name, kind, MS_DTYPE_F32, shape, &index));
    return index;
}

static void begin(problem *p) {
    memset(p, 0, sizeof *p);
    p->settings = (row_adam_settings){.lr = 0.1, .beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-6f, .decay = 0.03f};
}

static void start_with(problem *p, ms_numerics numerics, const ms_optimizer_config *config) {
    const ms_shape shapes[N_PARAMETERS] = {ms_shape_3(LAYERS, ROWS, COLUMNS), ms_shape_2(LAYERS, COLUMNS)};
    const char *const names[N_PARAMETERS] = {"blocks.matrix", "blocks.gain"};
    int weights[N_PARAMETERS], goals[N_PARAMETERS], curvatures[N_PARAMETERS];
    ms_optimizer_parameter parameters[N_PARAMETERS] = {{.is_matrix = true, .n_groups = 2, .group_rows = {1, 2}}, {0}};
    p->numerics = numerics;
    ms_must(ms_variables_create(&p->variables));
    for (int i = 0; i < N_PARAMETERS; i++) {
        char name[64];
        weights[i] = parameters[i].variable = add(p, names[i], MS_VARIABLE_PARAMETER, shapes[i]);
        snprintf(name, sizeof name, "gradient.%s", names[i]);
        parameters[i].gradient = add(p, name, MS_VARIABLE_GRADIENT, shapes[i]);
        snprintf(name, sizeof name, "goal.%s", names[i]);
        goals[i] = add(p, name, MS_VARIABLE_CONSTANT, shapes[i]);
        snprintf(name, sizeof name, "curvature.%s", names[i]);
        curvatures[i] = add(p, name, MS_VARIABLE_CONSTANT, shapes[i]);
    }
    ms_must(ms_optimizer_init(config, p->variables, parameters, N_PARAMETERS, &p->optimizer));
    ms_device_options options = {"cpu", numerics, 2};
    ms_must(ms_device_open(&options, &p->device));
    ms_must(ms_store_create(p->device, p->variables, &p->store));
    ms_graph *graph, *finished;
    ms_must(ms_graph_create(p->variables, p->optimizer.step_scalars, &graph));
    for (int i = 0; i < N_PARAMETERS; i++) {
        ms_tensor error = ms_axpby(graph, ms_constant(1), ms_view_all(graph, weights[i]), ms_constant(-1),
                                   ms_view_all(graph, goals[i]));
        ms_assign(graph, ms_mul(graph, ms_view_all(graph, curvatures[i]), error),
                  ms_view_all(graph, parameters[i].gradient));
        double values[2][N_MATRIX];
        for (int j = 0; j < counts[i]; j++) {
            values[0][j] = (double)(float)goal(i, j);
            values[1][j] = curvature(i, j);
        }
        upload(p, goals[i], values[0], counts[i]);
        upload(p, curvatures[i], values[1], counts[i]);
    }
    ms_must(ms_optimizer_update(&p->optimizer, graph));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(p->store, finished, &p->program));
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
}

static void start(problem *p, ms_numerics numerics, float clip) {
    begin(p);
    ms_optimizer_config config = configure(&p->settings, clip);
    start_with(p, numerics, &config);
}

static void finish(problem *p) {
    ms_program_destroy(p->program);
    ms_store_destroy(p->store);
    ms_device_close(p->device);
    ms_variables_destroy(p->variables);
}

static void step(problem *p, int i_step) {
    ms_optimizer_step at;
    double wide[MS_MAX_STEP_SCALARS];
    ms_must(ms_optimizer_step_at(&p->optimizer, i_step, factor_at(i_step), &at));
    ck_assert_double_eq(at.matrices_lr, p->settings.lr * factor_at(i_step));
    ck_assert_double_eq(at.others_lr, p->optimizer.config.adamw.lr * factor_at(i_step));
    for (int i = 0; i < MS_MAX_STEP_SCALARS; i++) wide[i] = (double)at.scalars[i];
    upload(p, p->optimizer.step_scalars, wide, p->optimizer.n_step_scalars);
    ms_must(ms_program_run(p->program));
}

/* ---- the reference ---- */

typedef struct reference {
    double weight[N_PARAMETERS][N_MATRIX], gradient[N_PARAMETERS][N_MATRIX], momentum[N_PARAMETERS][N_MATRIX];
    double row_second[LAYERS * ROWS], second[N_GAIN], delta[N_PARAMETERS][N_MATRIX];
    double norm, loss; /* of the weights before the step */
} reference;

/* What a coefficient of the graph is: an f32.  volatile: GCC 12 at -O3 drops the rounding in the last turns of a loop
   that it has vectorised. */
static double f32(double x) {
    volatile float rounded = (float)x;
    return (double)rounded;
}

static void gradients_of(reference *r) {
    r->loss = r->norm = 0;
    for (int p = 0; p < N_PARAMETERS; p++)
        for (int i = 0; i < counts[p]; i++) {
            double error = r->weight[p][i] - f32(goal(p, i));
            r->gradient[p][i] = curvature(p, i) * error;
            r->norm += r->gradient[p][i] * r->gradient[p][i];
            r->loss += 0.5 * curvature(p, i) * error * error;
        }
    r->norm = sqrt(r->norm);
}

static void reference_step(reference *r, const problem *p, int i_step) {
    const row_adam_settings *row = &p->settings;
    const ms_adamw_settings *adamw = &p->optimizer.config.adamw;
    double t = i_step + 1, limit = (double)p->optimizer.config.gradient_clip, rate = row->lr * factor_at(i_step);
    gradients_of(r);
    double clip = limit > 0 ? fmin(1, limit / (r->norm + (double)1e-6f)) : 1;
    double b1 = (double)row->beta1, b2 = (double)row->beta2;
    for (int i = 0; i < LAYERS * ROWS; i++) {
        double squares = 0, share = (double)((1 - row->beta2) / (float)COLUMNS);
        for (int j = i * COLUMNS; j < (i + 1) * COLUMNS; j++) squares += pow(clip * r->gradient[MATRIX][j], 2);
        r->row_second[i] = b2 * r->row_second[i] + share * squares;
        double root = sqrt(r->row_second[i] * f32(1 / (1 - pow(b2, t))));
        for (int j = i * COLUMNS; j < (i + 1) * COLUMNS; j++) {
            double *m = &r->momentum[MATRIX][j];
            *m = b1 * *m + (1 - b1) * clip * r->gradient[MATRIX][j];
            r->delta[MATRIX][j] = f32(rate / (1 - pow(b1, t))) * *m / (root + (double)row->epsilon) +
                                  (double)row->decay * f32(rate) * r->weight[MATRIX][j];
        }
    }
    b1 = (double)adamw->beta1, b2 = (double)adamw->beta2;
    for (int i = 0; i < N_GAIN; i++) {
        double g = clip * r->gradient[GAIN][i], *m = &r->momentum[GAIN][i], *v = &r->second[i];
        *m = b1 * *m + (1 - b1) * g;
        *v = b2 * *v + (1 - b2) * g * g;
        r->delta[GAIN][i] = f32(adamw->lr * factor_at(i_step)) * *m * f32(1 / (1 - pow(b1, t))) /
                            (sqrt(*v * f32(1 / (1 - pow(b2, t)))) + (double)adamw->epsilon);
    }
    for (int q = 0; q < N_PARAMETERS; q++)
        for (int i = 0; i < counts[q]; i++) r->weight[q][i] -= r->delta[q][i];
}

/* ---- the tests ---- */

static void compare(const problem *p, int variable, const double *wanted, int64_t count, double tolerance) {
    double have[N_MATRIX];
    const ms_variable *of = ms_variables_get(p->variables, variable);
    ck_assert_int_eq(ms_shape_count(&of->shape), count);
    download(p, variable, count, have);
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(fabs(have[i] - wanted[i]) <= tolerance * (1 + fabs(wanted[i])),
                      "%s, element %lld: %.15g, reference %.15g", of->name, (long long)i, have[i], wanted[i]);
}

static int find(const problem *p, const char *name) {
    int index = ms_variables_find(p->variables, name);
    ck_assert_msg(index >= 0, "no variable %s", name);
    return index;
}

/* Norms of the step: of row groups {1, 2} for each layer of the matrix, and of the gains. */
static void compare_norms(const problem *p, const double values[N_PARAMETERS][N_MATRIX], int variable,
                          double tolerance) {
    double squares[2 * LAYERS + 1] = {0};
    for (int i = 0; i < N_MATRIX; i++) {
        int layer = i / (ROWS * COLUMNS), row = i / COLUMNS % ROWS;
        squares[ms_optimizer_norm_index(&p->optimizer, MATRIX, layer, row > 0)] += pow(values[MATRIX][i], 2);
    }
    for (int i = 0; i < N_GAIN; i++)
        squares[ms_optimizer_norm_index(&p->optimizer, GAIN, 0, 0)] += pow(values[GAIN][i], 2);
    compare(p, variable, squares, 2 * LAYERS + 1, tolerance);
}

static void train(ms_numerics numerics, float clip, double tolerance) {
    problem p;
    reference r = {0};
    start(&p, numerics, clip);
    gradients_of(&r);
    double first_loss = r.loss, clipped_steps = 0;
    for (int i = 0; i < N_STEPS; i++) {
        step(&p, i);
        reference_step(&r, &p, i);
        clipped_steps += clip > 0 && r.norm > (double)clip;
        compare_norms(&p, (const double(*)[N_MATRIX])r.gradient, p.optimizer.gradient_squares, tolerance);
        compare_norms(&p, (const double(*)[N_MATRIX])r.delta, p.optimizer.update_squares, tolerance);
        compare(&p, find(&p, "blocks.matrix"), r.weight[MATRIX], N_MATRIX, tolerance);
        compare(&p, find(&p, "blocks.gain"), r.weight[GAIN], N_GAIN, tolerance);
    }
    compare(&p, find(&p, "momentum.blocks.matrix"), r.momentum[MATRIX], N_MATRIX, tolerance);
    compare(&p, find(&p, "row_second_moment.blocks.matrix"), r.row_second, LAYERS * ROWS, tolerance);
    compare(&p, find(&p, "momentum.blocks.gain"), r.momentum[GAIN], N_GAIN, tolerance);
    compare(&p, find(&p, "second_moment.blocks.gain"), r.second, N_GAIN, tolerance);
    ck_assert_int_eq(ms_variables_find(p.variables, "second_moment.blocks.matrix"), -1);
    gradients_of(&r);
    ck_assert_msg(r.loss < 0.1 * first_loss, "loss %g after %d steps, %g before", r.loss, N_STEPS, first_loss);
    if (clip > 0) ck_assert(clipped_steps > 0 && clipped_steps < N_STEPS);
    finish(&p);
}

START_TEST(test_equals_reference_in_f64) { train(MS_NUMERICS_ORACLE, 0, 1e-12); }
END_TEST

START_TEST(test_equals_reference_with_clipping) { train(MS_NUMERICS_ORACLE, 1, 1e-12); }
END_TEST

START_TEST(test_equals_reference_in_exact) { train(MS_NUMERICS_EXACT, 1, 2e-5); }
END_TEST

/* Weights after N_STEPS of AdamW on everything. */
static void train_adamw(double lr, double matrix_lr, double out[N_PARAMETERS][N_MATRIX]) {
    problem p;
    begin(&p);
    ms_optimizer_config config = configure(&p.settings, 0);
    config.matrices_rule = (ms_rule_use){NULL, NULL};
    config.kind = MS_OPTIMIZER_ADAMW;
    config.adamw.lr = lr;
    config.adamw.matrix_lr = matrix_lr;
    start_with(&p, MS_NUMERICS_EXACT, &config);
    for (int i = 0; i < N_STEPS; i++) {
        ms_optimizer_step at;
        ms_must(ms_optimizer_step_at(&p.optimizer, i, factor_at(i), &at));
        ck_assert_double_eq(at.matrices_lr, (matrix_lr > 0 ? matrix_lr : lr) * factor_at(i));
        ck_assert_double_eq(at.others_lr, lr * factor_at(i));
        ms_must(ms_store_upload(p.store, p.optimizer.step_scalars, 0, p.optimizer.n_step_scalars, at.scalars));
        ms_must(ms_program_run(p.program));
    }
    download(&p, find(&p, "blocks.matrix"), N_MATRIX, out[MATRIX]);
    download(&p, find(&p, "blocks.gain"), N_GAIN, out[GAIN]);
    finish(&p);
}

/* The two parts do not meet in this problem, so each has the bits that it has under one rate for both. */
START_TEST(test_matrices_have_their_own_rate) {
    double slow[N_PARAMETERS][N_MATRIX], fast[N_PARAMETERS][N_MATRIX], both[N_PARAMETERS][N_MATRIX];
    train_adamw(0.05, 0, slow);
    train_adamw(0.2, 0, fast);
    train_adamw(0.05, 0.2, both);
    ck_assert_mem_eq(both[MATRIX], fast[MATRIX], sizeof fast[MATRIX]);
    ck_assert_mem_eq(both[GAIN], slow[GAIN], N_GAIN * sizeof(double));
    ck_assert_mem_ne(both[MATRIX], slow[MATRIX], sizeof slow[MATRIX]);
    train_adamw(0.05, 0.05, both);
    ck_assert_mem_eq(both[MATRIX], slow[MATRIX], sizeof slow[MATRIX]);
}
END_TEST

START_TEST(test_names_a_parameter_that_does_not_fit) {
    ms_variables *variables;
    int weight, gradient;
    row_adam_settings settings = {.lr = 0.1, .beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-6f};
    ms_must(ms_variables_create(&variables));
    ms_must(ms_variables_add(variables, "w", MS_VARIABLE_PARAMETER, MS_DTYPE_F32, ms_shape_2(2, 3), &weight));
    ms_must(ms_variables_add(variables, "gradient.w", MS_VARIABLE_GRADIENT, MS_DTYPE_F32, ms_shape_2(2, 3), &gradient));
    ms_optimizer_parameter parameter = {
        .variable = weight, .gradient = gradient, .is_matrix = true, .n_groups = 1, .group_rows = {2}};
    ms_optimizer_config config = configure(&settings, 0);
    ms_optimizer optimizer;
    ck_assert_int_eq(ms_optimizer_init(&config, variables, &parameter, 1, &optimizer), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "optimizer: w has rank 2, a stack of matrices has 3");
    ms_variables_destroy(variables);
}
END_TEST

START_TEST(test_names_a_step_scalar_that_is_not_finite) {
    problem p;
    ms_optimizer_step at;
    start(&p, MS_NUMERICS_ORACLE, 0);
    p.settings.beta2 = 1;
    ck_assert_int_eq(ms_optimizer_step_at(&p.optimizer, 6, 1, &at), MS_NUMERIC);
    ck_assert_str_eq(ms_status_message(), "optimizer: inverse_bias2 of row_adam is inf at step 7");
    finish(&p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rule");
    TCase *tcase = tcase_create("rule");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_equals_reference_in_f64);
    tcase_add_test(tcase, test_equals_reference_with_clipping);
    tcase_add_test(tcase, test_equals_reference_in_exact);
    tcase_add_test(tcase, test_matrices_have_their_own_rate);
    tcase_add_test(tcase, test_names_a_parameter_that_does_not_fit);
    tcase_add_test(tcase, test_names_a_step_scalar_that_is_not_finite);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
