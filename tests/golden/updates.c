/* Ten updates by the rules against NumPy (make_updates.py), with given gradients, in `exact`, `fast` and the f64
   oracle. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/safetensors.h"
#include "model/spectral_norm.h"
#include "optim/optimizer.h"
#include "tests/support/suite.h"

enum { N_STEPS = 10, N_STACKS = 2, MOST_STACK = 2 * 24 * 16 };

static const char *const names[N_STACKS] = {"merged", "tall"};

/* ---- variants: make_updates.py has the same ---- */

static void sgd(ms_optimizer_config *c) { c->kind = MS_OPTIMIZER_SGD; }
static void sgd_nesterov(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_SGD;
    c->sgd.nesterov = true;
    c->sgd.decay = 0.2f;
}
static void decay_of_muon(ms_optimizer_config *c, float decay) {
    c->muon.decay_mode = MS_DECAY_DECOUPLED;
    c->muon.decay = decay;
}
static void muon_cautious(ms_optimizer_config *c) {
    decay_of_muon(c, 2);
    c->interventions.cautious_decay = true;
}
static void adamw_cautious(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_ADAMW;
    c->adamw.lr = 0.01;
    c->adamw.matrix_decay = 0.5f;
    c->interventions.cautious_decay = true;
}
static void sgd_cautious(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_SGD;
    c->sgd.decay = 2;
    c->interventions.cautious_decay = true;
}
static void sphere_project(ms_optimizer_config *c) {
    decay_of_muon(c, 0.1f);
    c->interventions.sphere = MS_SPHERE_PROJECT;
}
static void sphere_hyperball(ms_optimizer_config *c) { c->interventions.sphere = MS_SPHERE_HYPERBALL; }
static void sphere_hyperball_sgd(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_SGD;
    c->sgd.lr = 0.05;
    c->interventions.sphere = MS_SPHERE_HYPERBALL;
}
static void soft_cap(ms_optimizer_config *c) { c->interventions.soft_cap = 6.5f; }
static void soft_cap_split(ms_optimizer_config *c) {
    decay_of_muon(c, 0.1f);
    c->muon.split = MS_SPLIT_PER_HEAD;
    c->interventions.soft_cap = 6.2f;
}
static void exponent_half(ms_optimizer_config *c) {
    c->muon.exponent = MS_EXPONENT_HALF;
    c->muon.split = MS_SPLIT_PER_PROJECTION;
}
static void exponent_one(ms_optimizer_config *c) { c->muon.exponent = MS_EXPONENT_1; }
static void spectral_decay(ms_optimizer_config *c) { c->interventions.spectral_decay = 0.5f; }
static void normuon(ms_optimizer_config *c) { c->kind = MS_OPTIMIZER_NORMUON; }
static void normuon_per_head(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_NORMUON;
    c->normuon.beta2 = 0.8f;
    c->normuon.muon.split = MS_SPLIT_PER_HEAD;
    c->normuon.muon.decay_mode = MS_DECAY_DECOUPLED;
    c->normuon.muon.decay = 0.1f;
}

static const struct {
    const char *name;
    void (*set)(ms_optimizer_config *config);
} variants[] = {{"sgd", sgd},
                {"sgd_nesterov", sgd_nesterov},
                {"muon_cautious", muon_cautious},
                {"adamw_cautious", adamw_cautious},
                {"sgd_cautious", sgd_cautious},
                {"sphere_project", sphere_project},
                {"sphere_hyperball", sphere_hyperball},
                {"sphere_hyperball_sgd", sphere_hyperball_sgd},
                {"soft_cap", soft_cap},
                {"soft_cap_split", soft_cap_split},
                {"exponent_half", exponent_half},
                {"exponent_one", exponent_one},
                {"spectral_decay", spectral_decay},
                {"normuon", normuon},
                {"normuon_per_head", normuon_per_head}};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static ms_optimizer_config configure(void (*set)(ms_optimizer_config *config)) {
    const ms_muon_settings muon = {.lr = 0.024, .momentum = 0.95, .nesterov = true, .head_size = 4};
    ms_optimizer_config config = {.gradient_clip = 1,
                                  .muon = muon,
                                  .normuon = {.muon = muon, .beta2 = 0.95f},
                                  .sgd = {.lr = 0.1, .momentum = 0.9},
                                  .adamw = {.lr = 0.0005, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f}};
    set(&config);
    return config;
}

/* ---- a run ---- */

typedef struct run {
    ms_safetensors *golden;
    ms_variables *variables;
    ms_device *device;
    ms_store *store;
    ms_program *program;
    ms_optimizer optimizer;
    int weights[N_STACKS], gradients[N_STACKS];
} run;

static const ms_safetensor *find(const ms_safetensors *golden, const char *a, const char *b, const char *c) {
    char name[96];
    const ms_safetensor *tensor;
    snprintf(name, sizeof name, "%s%s%s", a, b, c);
    ms_must(ms_safetensors_find(golden, name, &tensor));
    return tensor;
}

static int add(run *r, const char *prefix, const char *name, ms_variable_kind kind, const ms_safetensor *like) {
    char full[96];
    int index;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    ms_must(ms_variables_add(r->variables, full, kind, MS_DTYPE_F32,
                             ms_shape_3(like->shape[0], like->shape[1], like->shape[2]), &index));
    return index;
}

static void start_with(run *r, void (*set)(ms_optimizer_config *config), ms_numerics numerics) {
    ms_optimizer_parameter parameters[N_STACKS] = {{.is_matrix = true,
                                                    .n_groups = 4,
                                                    .group_rows = {8, 4, 4, 8},
                                                    .per_head = {true, true, true, false},
                                                    .noisy = {true, false, true, false}},
                                                   {.is_matrix = true, .n_groups = 1, .group_rows = {20}}};
    memset(r, 0, sizeof *r);
    ms_must(ms_safetensors_open("tests/golden/updates.safetensors", &r->golden));
    ms_must(ms_variables_create(&r->variables));
    for (int i = 0; i < N_STACKS; i++) {
        const ms_safetensor *initial = find(r->golden, "initial.", names[i], "");
        r->weights[i] = parameters[i].variable = add(r, "", names[i], MS_VARIABLE_PARAMETER, initial);
        r->gradients[i] = parameters[i].gradient = add(r, "gradient.", names[i], MS_VARIABLE_GRADIENT, initial);
    }
    ms_optimizer_config config = configure(set);
    ms_must(ms_optimizer_init(&config, r->variables, parameters, N_STACKS, &r->optimizer));
    ms_device_options options = {"cpu", numerics, 2};
    ms_must(ms_device_open(&options, &r->device));
    ms_must(ms_store_create(r->device, r->variables, &r->store));
    ms_graph *graph, *finished;
    ms_must(ms_graph_create(r->variables, r->optimizer.step_scalars, &graph));
    ms_must(ms_optimizer_update(&r->optimizer, graph));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(r->store, finished, &r->program));
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
}

static void finish(run *r) {
    ms_program_destroy(r->program);
    ms_store_destroy(r->store);
    ms_device_close(r->device);
    ms_variables_destroy(r->variables);
    ms_safetensors_close(r->golden);
}

static void upload(run *r, int variable, const float *from, int64_t count) {
    double values[MOST_STACK];
    ck_assert_int_le(count, MOST_STACK);
    for (int64_t i = 0; i < count; i++) values[i] = (double)from[i];
    ms_must(ms_store_upload_f64(r->store, variable, 0, count, values));
}

static int64_t count_of(const ms_safetensor *tensor) { return tensor->shape[0] * tensor->shape[1] * tensor->shape[2]; }

static void step(run *r, int i_step) {
    ms_optimizer_step at;
    double scalars[MS_MAX_STEP_SCALARS];
    ms_must(ms_optimizer_step_at(&r->optimizer, i_step, 1, &at));
    for (int i = 0; i < MS_MAX_STEP_SCALARS; i++) scalars[i] = (double)at.scalars[i];
    ms_must(ms_store_upload_f64(r->store, r->optimizer.step_scalars, 0, r->optimizer.n_step_scalars, scalars));
    for (int i = 0; i < N_STACKS; i++) {
        int64_t count = count_of(find(r->golden, "initial.", names[i], ""));
        upload(r, r->gradients[i], (const float *)find(r->golden, "gradient.", names[i], "")->data + i_step * count,
               count);
    }
    ms_must(ms_program_run(r->program));
}

static const struct {
    ms_numerics numerics;
    double limit; /* of |W - golden| / |golden|, Frobenius */
} runs[] = {{MS_NUMERICS_ORACLE, 1e-5}, {MS_NUMERICS_EXACT, 1e-4}, {MS_NUMERICS_FAST, 1e-4}};
enum { N_RUNS = sizeof runs / sizeof *runs };

START_TEST(test_equals_numpy) {
    int variant = _i / N_RUNS, i_run = _i % N_RUNS;
    run r;
    start_with(&r, variants[variant].set, runs[i_run].numerics);
    for (int i = 0; i < N_STACKS; i++) {
        const ms_safetensor *initial = find(r.golden, "initial.", names[i], "");
        upload(&r, r.weights[i], initial->data, count_of(initial));
    }
    for (int i = 0; i < N_STEPS; i++) step(&r, i);
    for (int i = 0; i < N_STACKS; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.", variants[variant].name);
        const ms_safetensor *golden = find(r.golden, "final.", name, names[i]);
        const double *wanted = golden->data;
        double have[MOST_STACK], difference = 0, norm = 0;
        ms_must(ms_store_download_f64(r.store, r.weights[i], 0, count_of(golden), have));
        for (int64_t j = 0; j < count_of(golden); j++) {
            difference += pow(have[j] - wanted[j], 2);
            norm += pow(wanted[j], 2);
        }
        double error = sqrt(difference / norm);
        ck_assert_msg(error < runs[i_run].limit, "%s %s %s: differs by %.3g of its norm after %d steps, limit %g",
                      variants[variant].name, ms_numerics_name(runs[i_run].numerics), names[i], error, N_STEPS,
                      runs[i_run].limit);
    }
    finish(&r);
}
END_TEST

/* ---- what the interventions promise ---- */

/* The same gradient at every step: without a cap its directions grow by lr at each. */
static void push(run *r, int n_steps) {
    for (int i = 0; i < N_STACKS; i++) {
        double zero[MOST_STACK] = {0};
        ms_must(
            ms_store_upload_f64(r->store, r->weights[i], 0, count_of(find(r->golden, "initial.", names[i], "")), zero));
    }
    for (int i = 0; i < n_steps; i++) step(r, 0);
}

static void capped(ms_optimizer_config *c) { c->interventions.soft_cap = 0.3f; }

START_TEST(test_soft_cap_holds) {
    run r;
    double weights[MOST_STACK], cap = 0.3, most = 0;
    const ms_numerics numerics[] = {MS_NUMERICS_ORACLE, MS_NUMERICS_EXACT};
    start_with(&r, capped, numerics[_i]);
    push(&r, 40);
    ms_must(ms_store_download_f64(r.store, r.weights[0], 0, MOST_STACK, weights));
    for (int layer = 0, at = 0; layer < 2; layer++) {
        const int rows[] = {8, 4, 4, 8};
        for (int group = 0; group < 4; at += 16 * rows[group++]) {
            float matrix[8 * 16];
            double largest;
            for (int i = 0; i < 16 * rows[group]; i++) matrix[i] = (float)weights[at + i];
            ms_must(ms_spectral_norm(matrix, rows[group], 16, &largest));
            ck_assert_msg(largest <= cap * 1.0001, "layer %d, group %d: %.6f, cap %g", layer, group, largest, cap);
            most = fmax(most, largest);
        }
    }
    ck_assert_msg(most > 0.8 * cap, "the cap was never reached: %.6f", most);
    finish(&r);
}
END_TEST

static void noise_before(ms_optimizer_config *c) {
    c->muon.exponent = MS_EXPONENT_1; /* keeps directions, so that the share of noise can be seen in the update */
    c->muon.split = MS_SPLIT_PER_PROJECTION;
    c->interventions = (ms_interventions){.noise = 0.5f, .noise_first_layer = 1, .noise_last_layer = -1};
}
static void noise_after(ms_optimizer_config *c) {
    noise_before(c);
    c->interventions.noise_place = MS_NOISE_AFTER;
}
static void no_noise(ms_optimizer_config *c) {
    noise_before(c);
    c->interventions.noise = 0;
}
static void noise_of_sgd(ms_optimizer_config *c) {
    noise_after(c);
    c->kind = MS_OPTIMIZER_SGD;
}
static void no_noise_of_sgd(ms_optimizer_config *c) {
    noise_of_sgd(c);
    c->interventions.noise = 0;
}

static void updates_of_two_steps(void (*set)(ms_optimizer_config *config), double out[2][MOST_STACK]) {
    run r;
    start_with(&r, set, MS_NUMERICS_ORACLE);
    for (int i = 0; i < 2; i++) {
        push(&r, 0);
        step(&r, i); /* from zero weights: they are the update */
        ms_must(ms_store_download_f64(r.store, r.weights[0], 0, MOST_STACK, out[i]));
    }
    finish(&r);
}

/* Noise of half the update's norm in groups q and v of layer 1 (start_with makes them noisy) and nowhere else, another
   at each step.  Before the orthogonalisation (here by exponent 1) the sum is scaled back to the update's norm. */
static void check_noise(void (*with)(ms_optimizer_config *config), void (*without)(ms_optimizer_config *config),
                        bool is_before) {
    static double noisy[2][MOST_STACK], plain[2][MOST_STACK];
    static const int rows[] = {8, 4, 4, 8};
    updates_of_two_steps(with, noisy);
    updates_of_two_steps(without, plain);
    for (int i = 0; i < 2; i++)
        for (int layer = 0, at = 0; layer < 2; layer++)
            for (int group = 0; group < 4; at += 16 * rows[group++]) {
                double difference = 0, norm = 0, product = 0, norm_noisy = 0;
                for (int j = at; j < at + 16 * rows[group]; j++) {
                    difference += pow(noisy[i][j] - plain[i][j], 2);
                    norm += pow(plain[i][j], 2);
                    norm_noisy += pow(noisy[i][j], 2);
                    product += noisy[i][j] * plain[i][j];
                }
                bool wanted = layer == 1 && (group == 0 || group == 2);
                double share = sqrt(difference / norm), cosine = product / sqrt(norm * norm_noisy);
                if (!wanted)
                    ck_assert_double_eq_tol(share, 0, 1e-12);
                else if (is_before) /* 1 / sqrt(1 + 0.25), but for the noise's own cosine */
                    ck_assert_msg(fabs(norm_noisy / norm - 1) < 1e-5 && fabs(cosine - 0.894) < 0.12, "cosine %g",
                                  cosine);
                else
                    ck_assert_double_eq_tol(share, 0.5, 1e-5);
            }
    double same = 0, all = 0;
    for (int j = 16 * 24; j < 16 * 32; j++) {
        double first = noisy[0][j] - plain[0][j], second = noisy[1][j] - plain[1][j];
        same += first * second;
        all += first * first;
    }
    ck_assert_msg(fabs(same / all) < 0.9, "the noise of two steps is alike: %g", same / all);
}

START_TEST(test_noise_is_as_large_as_asked_and_where_asked) {
    check_noise(noise_before, no_noise, true);
    check_noise(noise_after, no_noise, false);
    check_noise(noise_of_sgd, no_noise_of_sgd, false);
}
END_TEST

START_TEST(test_a_cap_below_the_steps_is_refused) {
    double strength;
    ms_must(ms_soft_cap_strength(0.31, 0.05, &strength));
    ck_assert_int_eq(ms_soft_cap_strength(0.29, 0.05, &strength), MS_INVALID);
    ck_assert_str_eq(ms_status_message(),
                     "intervention: soft_cap 0.29 is less than 6 times the 0.05 that a step can add to a singular "
                     "value: raise the cap or lower the learning rate");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("golden updates");
    TCase *tcase = tcase_create("updates");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_equals_numpy, 0, N_VARIANTS * N_RUNS);
    tcase_add_loop_test(tcase, test_soft_cap_holds, 0, 2);
    tcase_add_test(tcase, test_noise_is_as_large_as_asked_and_where_asked);
    tcase_add_test(tcase, test_a_cap_below_the_steps_is_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
