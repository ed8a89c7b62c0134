/* QK-clip: what becomes of each head's rows, with given logits; what is refused. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/passes.h"
#include "optim/optimizer.h"
#include "tests/support/suite.h"

enum { LAYERS = 2, HEADS = 4, SIZE = 3, COLUMNS = 5, MOST = LAYERS * 3 * HEADS * SIZE * COLUMNS };

/* A stack of q, k and v in one matrix, or q and k alone, and their optimizer: SGD with rate 0, so that the clip alone
   changes weights. */
typedef struct stacks {
    ms_variables *variables;
    ms_optimizer_parameter parameters[2];
    int n;
    ms_optimizer_config config;
    ms_optimizer optimizer;
} stacks;

static void add(stacks *s, const char *name, ms_optimizer_parameter parameter) {
    char gradient[32];
    int64_t rows = 0;
    snprintf(gradient, sizeof gradient, "gradient.%s", name);
    for (int i = 0; i < parameter.n_groups; i++) rows += parameter.group_rows[i];
    ms_shape shape = ms_shape_3(LAYERS, rows, COLUMNS);
    int weight, of_gradient;
    ms_must(ms_variables_add(s->variables, name, MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shape, &weight));
    ms_must(ms_variables_add(s->variables, gradient, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shape, &of_gradient));
    parameter.is_matrix = true;
    parameter.variable = weight;
    parameter.gradient = of_gradient;
    s->parameters[s->n++] = parameter;
}

static stacks make(int kv_heads, bool merged) {
    stacks s = {.n = 0};
    int logits;
    ms_must(ms_variables_create(&s.variables));
    ms_must(
        ms_variables_add(s.variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(LAYERS, HEADS), &logits));
    if (merged) {
        add(&s, "qkv",
            (ms_optimizer_parameter){.n_groups = 3,
                                     .group_rows = {HEADS * SIZE, kv_heads * SIZE, kv_heads * SIZE},
                                     .head_rows = {MS_HEAD_ROWS_QUERY, MS_HEAD_ROWS_KEY, MS_HEAD_ROWS_NONE}});
    } else {
        add(&s, "q",
            (ms_optimizer_parameter){.n_groups = 1, .group_rows = {HEADS * SIZE}, .head_rows = {MS_HEAD_ROWS_QUERY}});
        add(&s, "k",
            (ms_optimizer_parameter){.n_groups = 1, .group_rows = {kv_heads * SIZE}, .head_rows = {MS_HEAD_ROWS_KEY}});
    }
    s.config = (ms_optimizer_config){
        .kind = MS_OPTIMIZER_SGD,
        .interventions = {
            .noise_last_layer = -1, .qk_clip = 100, .heads = HEADS, .kv_heads = kv_heads, .logit_max = logits}};
    return s;
}

/* ---- what it does ---- */

static const float logits[LAYERS * HEADS] = {99.5f, 400, 100, -7, 1e4f, 0, 250, 101};

/* Runs one update on a device; weights [n_parameters][count] in and out. */
static void update(stacks *s, ms_numerics numerics, const float *given, float weights[2][MOST]) {
    const ms_device_options options = {"cpu", numerics, 2};
    ms_device *device;
    ms_store *store;
    ms_graph *graph, *finished;
    ms_program *program;
    ms_optimizer_step at;
    ms_must(ms_optimizer_init(&s->config, s->variables, s->parameters, s->n, &s->optimizer));
    ms_must(ms_device_open(&options, &device));
    ms_must(ms_store_create(device, s->variables, &store));
    ms_must(ms_graph_create(s->variables, s->optimizer.step_scalars, &graph));
    ms_must(ms_optimizer_update(&s->optimizer, graph));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(store, finished, &program));
    ms_must(ms_optimizer_step_at(&s->optimizer, 0, 1, &at));
    ms_must(ms_store_upload(store, s->optimizer.step_scalars, 0, s->optimizer.n_step_scalars, at.scalars));
    ms_must(ms_store_upload(store, s->config.interventions.logit_max, 0, LAYERS * HEADS, given));
    for (int i = 0; i < s->n; i++) {
        int64_t count = ms_shape_count(&ms_variables_get(s->variables, s->parameters[i].variable)->shape);
        for (int64_t j = 0; j < count; j++) weights[i][j] = (float)(1 + j % 7) * (j % 2 ? 0.37f : -0.21f);
        ms_must(ms_store_upload(store, s->parameters[i].variable, 0, count, weights[i]));
    }
    ms_must(ms_program_run(program));
    for (int i = 0; i < s->n; i++) {
        int64_t count = ms_shape_count(&ms_variables_get(s->variables, s->parameters[i].variable)->shape);
        ms_must(ms_store_download(store, s->parameters[i].variable, 0, count, weights[i]));
    }
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    ms_store_destroy(store);
    ms_device_close(device);
}

/* What rows of a group have been multiplied by; all numbers of a head by the same. */
static double factor_of(const stacks *s, float weights[2][MOST], int i, int group, int layer, int head) {
    const ms_optimizer_parameter *parameter = &s->parameters[i];
    int64_t begin = 0, rows = 0;
    for (int j = 0; j < parameter->n_groups; rows += parameter->group_rows[j++])
        if (j < group) begin += parameter->group_rows[j];
    double factor = NAN;
    for (int64_t row = begin + head * SIZE; row < begin + (head + 1) * SIZE; row++)
        for (int64_t c = 0; c < COLUMNS; c++) {
            int64_t j = (layer * rows + row) * COLUMNS + c;
            double now = (double)weights[i][j] / (double)((float)(1 + j % 7) * (j % 2 ? 0.37f : -0.21f));
            if (!isnan(factor)) ck_assert_double_eq_tol(now, factor, 1e-6 * factor);
            factor = now;
        }
    return factor;
}

/* 1 to the bit where no head exceeds the threshold. */
static void expect_factor(double factor, double expected) {
    if (expected == 1)
        ck_assert_double_eq(factor, 1);
    else
        ck_assert_double_eq_tol(factor, expected, 1e-6 * expected);
}

static const struct {
    int kv_heads;
    bool merged;
    ms_numerics numerics;
} layouts[] = {{HEADS, true, MS_NUMERICS_EXACT}, {HEADS, false, MS_NUMERICS_FAST}, {2, true, MS_NUMERICS_FAST},
               {2, false, MS_NUMERICS_EXACT},    {1, true, MS_NUMERICS_EXACT},     {1, false, MS_NUMERICS_EXACT}};

START_TEST(heads_above_the_threshold_are_scaled) {
    static float weights[2][MOST];
    int kv_heads = layouts[_i].kv_heads;
    stacks s = make(kv_heads, layouts[_i].merged);
    update(&s, layouts[_i].numerics, logits, weights);
    bool shared = kv_heads < HEADS;
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int h = 0; h < HEADS; h++) {
            double gamma = fmin(1, 100 / fmax(1, (double)logits[layer * HEADS + h]));
            expect_factor(factor_of(&s, weights, 0, 0, layer, h), shared ? gamma : sqrt(gamma));
            if (!shared) expect_factor(factor_of(&s, weights, s.n - 1, s.n == 1, layer, h), sqrt(gamma));
        }
        for (int g = 0; g < kv_heads; g++) {
            if (shared) expect_factor(factor_of(&s, weights, s.n - 1, s.n == 1, layer, g), 1);
            if (layouts[_i].merged) expect_factor(factor_of(&s, weights, 0, 2, layer, g), 1); /* v */
        }
    }
    ms_variables_destroy(s.variables);
}
END_TEST

START_TEST(nan_is_not_swallowed) {
    static float weights[2][MOST];
    float given[LAYERS * HEADS];
    memcpy(given, logits, sizeof given);
    given[2] = NAN;
    stacks s = make(HEADS, false);
    update(&s, MS_NUMERICS_EXACT, given, weights);
    ck_assert(isnan(weights[0][2 * SIZE * COLUMNS]) && isnan(weights[1][2 * SIZE * COLUMNS]));
    ck_assert(!isnan(weights[0][3 * SIZE * COLUMNS]));
    ms_variables_destroy(s.variables);
}
END_TEST

/* ---- what is refused ---- */

static void negative(stacks *s) { s->config.interventions.qk_clip = -1; }
static void not_a_number(stacks *s) { s->config.interventions.qk_clip = NAN; }
static void infinite(stacks *s) { s->config.interventions.qk_clip = INFINITY; }
static void on_a_sphere(stacks *s) { s->config.interventions.sphere = MS_SPHERE_PROJECT; }
static void other_logits(stacks *s) { s->config.interventions.logit_max = s->parameters[0].variable; }
static void no_logits(stacks *s) { s->config.interventions.logit_max = -1; }
static void broken_heads(stacks *s) { s->config.interventions.kv_heads = 3; }
static void no_heads(stacks *s) { s->config.interventions.heads = 0; }
static void no_queries(stacks *s) { s->parameters[0].head_rows[0] = MS_HEAD_ROWS_NONE; }
static void no_keys(stacks *s) { s->parameters[1].head_rows[0] = MS_HEAD_ROWS_NONE; }
static void half_a_head(stacks *s) { s->parameters[1].group_rows[0] = HEADS * SIZE - 1; }

static const struct {
    void (*set)(stacks *s);
    const char *message;
} refused[] = {
    {negative, "intervention: qk_clip is -1, must be positive, or 0 for none"},
    {not_a_number, "intervention: qk_clip is nan, must be positive"},
    {infinite, "intervention: qk_clip is inf, must be positive"},
    {on_a_sphere, "intervention: qk_clip 100 and sphere project contradict: the sphere undoes the clip"},
    {other_logits, "qk_clip: variable 1 does not hold the largest logits of 2 layers and 4 heads"},
    {no_logits, "qk_clip: variable -1 does not hold the largest logits of 2 layers and 4 heads"},
    {broken_heads, "qk_clip: 4 heads, 3 kv heads: heads must be a multiple of kv heads"},
    {no_heads, "qk_clip: 0 heads, 4 kv heads"},
    {no_queries, "intervention: qk_clip 100: no layer matrix has rows of query heads"},
    {no_keys, "intervention: qk_clip 100: no layer matrix has rows of key heads"},
    {half_a_head, "intervention: qk_clip: k: 11 rows are not those of 4 key heads"},
};

START_TEST(contradictions_are_named) {
    stacks s = make(HEADS, false);
    refused[_i].set(&s);
    ms_expect(ms_optimizer_init(&s.config, s.variables, s.parameters, s.n, &s.optimizer), MS_INVALID,
              refused[_i].message);
    ms_variables_destroy(s.variables);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("qk_clip");
    TCase *tcase = tcase_create("qk_clip");
    tcase_add_loop_test(tcase, heads_above_the_threshold_are_scaled, 0, sizeof layouts / sizeof *layouts);
    tcase_add_test(tcase, nan_is_not_swallowed);
    tcase_add_loop_test(tcase, contradictions_are_named, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
