#include "optim/interventions.h"

#include <math.h>
#include <stdio.h>

#include "backend/ir/build.h"
#include "optim/draw.h"
#include "optim/muon.h"
#include "optim/norms.h"
#include "platform/choice.h"
#include "platform/random.h"

enum { POWER_ITERATIONS = 2 };

/* What the first direction is moved by, in units of its own length: all of it at the first step, and later so little
   that it matters only where the iteration has lost a direction for good. */
static const double first_jolt = 1, later_jolt = 1e-3;

const char *const ms_sphere_names[] = {
    [MS_SPHERE_NONE] = "none", [MS_SPHERE_PROJECT] = "project", [MS_SPHERE_HYPERBALL] = "hyperball", NULL};

const char *const ms_noise_place_names[] = {[MS_NOISE_BEFORE] = "before", [MS_NOISE_AFTER] = "after", NULL};

void ms_intervention_scalars(int64_t step, double rate, float out[MS_N_INTERVENTION_SCALARS]) {
    out[MS_INTERVENTION_RATE] = (float)rate;
    out[MS_INTERVENTION_IS_FIRST] = step == 0 ? 1.0f : 0.0f;
    out[MS_INTERVENTION_STEP] = (float)step;
    out[MS_INTERVENTION_JOLT] = (float)(step == 0 ? first_jolt : later_jolt);
}

bool ms_interventions_keep_norms(const ms_interventions *interventions) {
    return interventions->sphere != MS_SPHERE_NONE;
}

bool ms_interventions_keep_directions(const ms_interventions *interventions) {
    return interventions->spectral_decay != 0;
}

bool ms_interventions_on_weights(const ms_interventions *interventions) {
    return ms_interventions_on_groups(interventions) || interventions->qk_clip != 0;
}

bool ms_interventions_on_groups(const ms_interventions *interventions) {
    return ms_interventions_keep_norms(interventions) || ms_interventions_keep_directions(interventions) ||
           interventions->soft_cap != 0;
}

bool ms_interventions_need_scalars(const ms_interventions *interventions) {
    return ms_interventions_on_groups(interventions) || interventions->noise != 0;
}

ms_shape ms_intervention_norms_shape(const ms_shape *parameter, int n_groups) {
    return ms_shape_2(parameter->dim[0], n_groups);
}

ms_shape ms_intervention_directions_shape(const ms_shape *parameter, int n_groups) {
    return ms_shape_3(parameter->dim[0], n_groups, parameter->dim[2]);
}

static ms_status check_noise(const ms_interventions *interventions, const ms_optimizer_rule *rule) {
    MS_TRY(ms_choice_check("intervention: noise_place", (int)interventions->noise_place, ms_noise_place_names));
    if (!(interventions->noise >= 0))
        return MS_FAIL(MS_INVALID, "intervention: noise %g is negative", (double)interventions->noise);
    if (interventions->noise == 0) return MS_OK;
    if (!rule->heeds_interventions)
        return MS_FAIL(MS_INVALID, "intervention: noise: the rule %s takes none", rule->name);
    if (interventions->noise_place == MS_NOISE_BEFORE && !rule->orthogonalises)
        return MS_FAIL(MS_INVALID,
                       "intervention: noise before the orthogonalisation: the rule %s has none; put it after",
                       rule->name);
    if (interventions->noise_place == MS_NOISE_AFTER && interventions->soft_cap != 0)
        return MS_FAIL(MS_INVALID,
                       "intervention: noise after the orthogonalisation and soft_cap %g contradict: the largest "
                       "singular value of a step is not known; put the noise before",
                       (double)interventions->soft_cap);
    return MS_OK;
}

ms_status ms_interventions_check(const ms_interventions *interventions, const ms_rule_use *of_matrices) {
    MS_TRY(ms_choice_check("intervention: sphere", (int)interventions->sphere, ms_sphere_names));
    if (!(interventions->soft_cap >= 0) || !(interventions->spectral_decay >= 0))
        return MS_FAIL(MS_INVALID, "intervention: soft_cap %g and spectral_decay %g must not be negative",
                       (double)interventions->soft_cap, (double)interventions->spectral_decay);
    if (interventions->soft_cap != 0 && interventions->sphere != MS_SPHERE_NONE)
        return MS_FAIL(MS_INVALID, "intervention: soft_cap %g and sphere %s contradict: the sphere undoes the cap",
                       (double)interventions->soft_cap, ms_sphere_names[interventions->sphere]);
    if (interventions->soft_cap != 0 && of_matrices->rule != &ms_muon_rule)
        return MS_FAIL(MS_INVALID,
                       "intervention: soft_cap %g needs muon, whose step has a largest singular value that is known; "
                       "the rule is %s",
                       (double)interventions->soft_cap, of_matrices->rule->name);
    if (interventions->soft_cap != 0 && ((const ms_muon_settings *)of_matrices->settings)->exponent != MS_EXPONENT_0)
        return MS_FAIL(MS_INVALID,
                       "intervention: soft_cap %g needs the spectral exponent 0: with another one the largest singular "
                       "value of a step is not known",
                       (double)interventions->soft_cap);
    if (interventions->soft_cap != 0 && interventions->cautious_decay)
        return MS_FAIL(MS_INVALID,
                       "intervention: cautious_decay and soft_cap %g contradict: decay of some weights alone may raise "
                       "singular values",
                       (double)interventions->soft_cap);
    const ms_optimizer_rule *rule = of_matrices->rule;
    if (interventions->cautious_decay && !rule->heeds_interventions)
        return MS_FAIL(MS_INVALID, "intervention: cautious_decay: the rule %s takes none", rule->name);
    return check_noise(interventions, rule);
}

/* X -> X - a X^3 -> X + a X^3 takes x to x (1 - 3 y^2 + 3 y^3 - y^4) with y = a x^2, which rises up to y = 0.258 and is
   x (1 - 0.153) there.  k = cap + growth must come down to the cap: 3 y^2 - 3 y^3 + y^4 = 1 - cap / k at y = a k^2. */
ms_status ms_soft_cap_strength(double cap, double growth, double *out_strength) {
    double k = cap + growth, wanted = 1 - cap / k, low = 0, high = 0.258;
    *out_strength = 0;
    if (!(growth >= 0 && growth <= cap / 6))
        return MS_FAIL(MS_INVALID,
                       "intervention: soft_cap %g is less than 6 times the %g that a step can add to a singular value: "
                       "raise the cap or lower the learning rate",
                       cap, growth);
    for (int i = 0; i < 60; i++) {
        double y = 0.5 * (low + high);
        if (y * y * (3 - y * (3 - y)) < wanted)
            low = y;
        else
            high = y;
    }
    *out_strength = high / (k * k);
    return MS_OK;
}

/* ---- the graph: of one row group, matrices [L,r,C] ---- */

typedef struct group {
    ms_graph *graph;
    const ms_intervention_inputs *inputs;
    int i;
    int64_t layers, columns;
    ms_tensor weight, delta;
    ms_tensor initial; /* [L,1]: squares of the norm that stays */
} group;

static ms_coefficient scalar(const group *g, float constant, int which) {
    return ms_step_scalar(constant, g->inputs->first_scalar + which);
}

static ms_tensor product(const group *g, ms_tensor a, ms_tensor b, bool transpose_a, bool transpose_b) {
    return ms_matmul(g->graph, a, b, MS_NO_TENSOR,
                     &(ms_matmul_attributes){transpose_a, transpose_b, 1, 0, MS_DTYPE_F32});
}

/* Small normal numbers by (seed, step, tensor, element), as long as a unit vector at first. */
static ms_tensor jolt(const group *g) {
    char name[160];
    snprintf(name, sizeof name, "top_direction.%d.%s", g->i, g->inputs->name);
    const ms_random_normal_attributes normal = {
        .deviation = scalar(g, (float)(1 / sqrt((double)g->columns)), MS_INTERVENTION_JOLT),
        .seed = g->inputs->settings->seed,
        .stream = ms_name_hash(name),
        .step_scalar = g->inputs->first_scalar + MS_INTERVENTION_STEP,
        .shape = ms_shape_3(g->inputs->layers, 1, g->columns)};
    return ms_draw_layers(g->graph, &normal, g->inputs->parameter->first_row, g->layers);
}

/* Adds the decay of the first direction to the delta; returns the new directions [L,groups,C]. */
static ms_tensor decay_top(group *g, ms_tensor directions) {
    ms_graph *graph = g->graph;
    ms_tensor v = ms_slice(graph, g->inputs->top_directions, g->i, 1);
    v = ms_axpby(graph, ms_constant(1), v, ms_constant(1), jolt(g));
    for (int i = 0; i < POWER_ITERATIONS; i++) {
        v = product(g, product(g, g->weight, v, false, true), g->weight, true, false);
        v = ms_scale_by_inverse_norm(graph, v, ms_squares_of(graph, v), 1, 1e-30f);
    }
    ms_tensor part = product(g, product(g, g->weight, v, false, true), v, false, false);
    g->delta = ms_axpby(graph, ms_constant(1), g->delta,
                        scalar(g, g->inputs->settings->spectral_decay, MS_INTERVENTION_RATE), part);
    return ms_insert(graph, directions, v, g->i);
}

/* x + sign a X X^T X */
static ms_tensor cubic(const group *g, ms_tensor x, float sign) {
    if (ms_graph_status(g->graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(g->graph, x)->shape;
    bool tall = shape.dim[1] > shape.dim[2];
    ms_tensor gram = ms_gram(g->graph, x, tall);
    ms_tensor cube = tall ? product(g, x, gram, false, false) : product(g, gram, x, false, false);
    return ms_axpby(g->graph, ms_constant(1), x, ms_step_scalar(sign, g->inputs->first_cap + g->i), cube);
}

static ms_tensor new_weight_of(group *g) {
    const ms_interventions *settings = g->inputs->settings;
    if (settings->sphere == MS_SPHERE_HYPERBALL) {
        ms_tensor unit = ms_with_norms(g->graph, g->delta, g->initial);
        g->delta = ms_axpby(g->graph, scalar(g, 1, MS_INTERVENTION_RATE), unit, ms_constant(0), MS_NO_TENSOR);
    }
    ms_tensor x = ms_axpby(g->graph, ms_constant(1), g->weight, ms_constant(-1), g->delta);
    if (settings->soft_cap != 0) x = cubic(g, cubic(g, x, -1), 1);
    if (settings->sphere != MS_SPHERE_NONE) x = ms_with_norms(g->graph, x, g->initial);
    return x;
}

ms_tensor ms_interventions_apply(ms_graph *graph, const ms_intervention_inputs *inputs) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    const ms_optimizer_parameter *parameter = inputs->parameter;
    ms_shape shape = ms_graph_tensor(graph, inputs->weight)->shape;
    group g = {.graph = graph, .inputs = inputs, .layers = shape.dim[0], .columns = shape.dim[2]};
    ms_tensor squares = MS_NO_TENSOR, directions = inputs->top_directions, result = inputs->weight;
    if (ms_interventions_keep_norms(inputs->settings)) {
        /* What was kept, and at the first step what is there. */
        squares = ms_sum_squares(graph, inputs->weight, parameter->n_groups, parameter->group_rows);
        squares =
            ms_axpby(graph, ms_constant(1), inputs->initial_squares, scalar(&g, 1, MS_INTERVENTION_IS_FIRST), squares);
        ms_assign(graph, squares, inputs->initial_squares);
        squares = ms_reshape(graph, squares, ms_shape_3(g.layers, parameter->n_groups, 1));
    }
    int64_t begin = 0;
    for (g.i = 0; g.i < parameter->n_groups; begin += parameter->group_rows[g.i++]) {
        g.weight = ms_slice(graph, inputs->weight, begin, parameter->group_rows[g.i]);
        g.delta = ms_slice(graph, inputs->delta, begin, parameter->group_rows[g.i]);
        if (squares != MS_NO_TENSOR)
            g.initial = ms_reshape(graph, ms_slice(graph, squares, g.i, 1), ms_shape_2(g.layers, 1));
        if (ms_interventions_keep_directions(inputs->settings)) directions = decay_top(&g, directions);
        result = ms_insert(graph, result, new_weight_of(&g), begin);
    }
    if (ms_interventions_keep_directions(inputs->settings)) ms_assign(graph, directions, inputs->top_directions);
    return result;
}
