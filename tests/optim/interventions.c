/* Interventions that contradict each other, the rule of layer matrices or what can be computed are refused, each by
   name. */
#include <check.h>
#include <math.h>

#include "optim/noise.h"
#include "optim/optimizer.h"
#include "tests/optim/row_adam.h"
#include "tests/support/suite.h"

enum { LAYERS = 2, ROWS = 3, COLUMNS = 4 };

static const row_adam_settings own = {.lr = 0.1, .beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-6f};

/* An optimizer of one stack of matrices; its variables are in *out_variables whatever comes of it. */
static ms_status init(const ms_optimizer_config *config, ms_variables **out_variables, ms_optimizer *out) {
    ms_optimizer_parameter parameter = {.is_matrix = true, .n_groups = 1, .group_rows = {ROWS}, .noisy = {true}};
    const ms_shape shape = ms_shape_3(LAYERS, ROWS, COLUMNS);
    int weight, gradient;
    ms_must(ms_variables_create(out_variables));
    ms_must(ms_variables_add(*out_variables, "w", MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shape, &weight));
    ms_must(ms_variables_add(*out_variables, "gradient.w", MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shape, &gradient));
    parameter.variable = weight;
    parameter.gradient = gradient;
    return ms_optimizer_init(config, *out_variables, &parameter, 1, out);
}

static ms_optimizer_config plain(void) {
    const ms_muon_settings muon = {.lr = 0.02, .momentum = 0.9};
    return (ms_optimizer_config){.muon = muon,
                                 .normuon = {.muon = muon, .beta2 = 0.9f},
                                 .sgd = {.lr = 0.1},
                                 .adamw = {.lr = 0.001, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f},
                                 .interventions = {.noise_last_layer = -1}};
}

/* ---- what is refused ---- */

static void own_rule(ms_optimizer_config *c) { c->matrices_rule = (ms_rule_use){&row_adam_rule, &own}; }

static void no_sphere(ms_optimizer_config *c) { c->interventions.sphere = (ms_sphere)9; }
static void no_place(ms_optimizer_config *c) { c->interventions.noise_place = (ms_noise_place)9; }
static void negative_cap(ms_optimizer_config *c) { c->interventions.soft_cap = -1; }
static void no_decay(ms_optimizer_config *c) { c->interventions.spectral_decay = NAN; }
static void negative_noise(ms_optimizer_config *c) { c->interventions.noise = -0.5f; }
static void cap_on_sphere(ms_optimizer_config *c) {
    c->interventions.soft_cap = 2;
    c->interventions.sphere = MS_SPHERE_PROJECT;
}
static void cap_of_normuon(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_NORMUON;
    c->interventions.soft_cap = 2;
}
static void cap_of_exponent(ms_optimizer_config *c) {
    c->muon.exponent = MS_EXPONENT_HALF;
    c->interventions.soft_cap = 2;
}
static void cap_and_noise_after(ms_optimizer_config *c) {
    c->interventions.soft_cap = 2;
    c->interventions.noise = 0.5f;
    c->interventions.noise_place = MS_NOISE_AFTER;
}
static void cap_and_cautious(ms_optimizer_config *c) {
    c->interventions.soft_cap = 2;
    c->interventions.cautious_decay = true;
}
static void low_cap(ms_optimizer_config *c) { c->interventions.soft_cap = 0.1f; }
static void noise_before_sgd(ms_optimizer_config *c) {
    c->kind = MS_OPTIMIZER_SGD;
    c->interventions.noise = 0.5f;
}
static void noise_of_own_rule(ms_optimizer_config *c) {
    own_rule(c);
    c->interventions.noise = 0.5f;
}
static void cautious_own_rule(ms_optimizer_config *c) {
    own_rule(c);
    c->interventions.cautious_decay = true;
}

static const struct {
    void (*set)(ms_optimizer_config *config);
    const char *message;
} refused[] = {
    {no_sphere, "intervention: sphere is 9, must be 0 (none), 1 (project) or 2 (hyperball)"},
    {no_place, "intervention: noise_place is 9, must be 0 (before) or 1 (after)"},
    {negative_cap, "intervention: soft_cap -1 and spectral_decay 0 must not be negative"},
    {no_decay, "intervention: soft_cap 0 and spectral_decay nan must not be negative"},
    {negative_noise, "intervention: noise -0.5 is negative"},
    {cap_on_sphere, "intervention: soft_cap 2 and sphere project contradict: the sphere undoes the cap"},
    {cap_of_normuon,
     "soft_cap 2 needs muon, whose step has a largest singular value that is known; the rule is normuon"},
    {cap_of_exponent, "soft_cap 2 needs the spectral exponent 0"},
    {cap_and_noise_after, "noise after the orthogonalisation and soft_cap 2 contradict"},
    {cap_and_cautious, "cautious_decay and soft_cap 2 contradict: decay of some weights alone may raise"},
    {low_cap, "raise the cap or lower the learning rate"},
    {noise_before_sgd, "noise before the orthogonalisation: the rule sgd has none; put it after"},
    {noise_of_own_rule, "intervention: noise: the rule row_adam takes none"},
    {cautious_own_rule, "intervention: cautious_decay: the rule row_adam takes none"},
};

START_TEST(test_contradictions_are_refused) {
    ms_variables *variables;
    ms_optimizer optimizer;
    ms_optimizer_config config = plain();
    refused[_i].set(&config);
    ms_expect(init(&config, &variables, &optimizer), MS_INVALID, refused[_i].message);
    ms_variables_destroy(variables);
}
END_TEST

/* ---- noise ---- */

static void expect_no_layers(int32_t first, int32_t last, const char *message) {
    ms_variables *variables;
    ms_optimizer optimizer;
    ms_graph *graph;
    ms_optimizer_config config = plain();
    config.interventions.noise = 0.5f;
    config.interventions.noise_first_layer = first;
    config.interventions.noise_last_layer = last;
    ms_must(init(&config, &variables, &optimizer));
    ms_must(ms_graph_create(variables, optimizer.step_scalars, &graph));
    ms_expect(ms_optimizer_update(&optimizer, graph), MS_INVALID, message);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}

START_TEST(test_noise_needs_layers_that_there_are) {
    expect_no_layers(0, LAYERS, "intervention: noise in layers 0 to 2 of 2, counted from 0");
    expect_no_layers(LAYERS, -1, "intervention: noise in layers 2 to 1 of 2, counted from 0");
    expect_no_layers(-1, 0, "intervention: noise in layers -1 to 0 of 2, counted from 0");
}
END_TEST

START_TEST(test_noise_has_a_last_step) {
    ms_variables *variables;
    ms_optimizer optimizer;
    ms_optimizer_step at;
    ms_optimizer_config config = plain();
    config.interventions.noise = 0.5f;
    ms_must(init(&config, &variables, &optimizer));
    ms_must(ms_optimizer_step_at(&optimizer, MS_NOISE_LAST_STEP, 1, &at));
    ck_assert_float_eq(at.scalars[optimizer.first_intervention + MS_INTERVENTION_STEP], 16777216);
    ms_expect(ms_optimizer_step_at(&optimizer, MS_NOISE_LAST_STEP + 1, 1, &at), MS_INVALID,
              "intervention: noise is keyed by steps up to 16777216");
    ms_variables_destroy(variables);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("interventions");
    TCase *tcase = tcase_create("interventions");
    tcase_add_loop_test(tcase, test_contradictions_are_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tcase, test_noise_needs_layers_that_there_are);
    tcase_add_test(tcase, test_noise_has_a_last_step);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
