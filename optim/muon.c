#include "optim/muon.h"

#include <math.h>
#include <string.h>

#include "backend/ir/build.h"
#include "optim/rule_interventions.h"
#include "platform/choice.h"

const char *const ms_muon_scaling_names[] = {[MS_SCALING_MAX_ROWS_COLS] = "max_rows_cols",
                                             [MS_SCALING_MOONLIGHT] = "moonlight",
                                             [MS_SCALING_ROWS_COLS] = "rows_cols",
                                             NULL};
const char *const ms_muon_split_names[] = {
    [MS_SPLIT_MERGED] = "merged", [MS_SPLIT_PER_PROJECTION] = "per_projection", [MS_SPLIT_PER_HEAD] = "per_head", NULL};
const char *const ms_decay_mode_names[] = {[MS_DECAY_NONE] = "none",
                                           [MS_DECAY_DECOUPLED] = "decoupled",
                                           [MS_DECAY_UPDATE] = "update",
                                           [MS_DECAY_BOTH] = "both",
                                           NULL};

enum { MOMENTUM_STATE, N_STATES };
enum { LR, MOMENTUM, N_SCALARS };

double ms_muon_scale(ms_muon_scaling scaling, int64_t rows, int64_t columns) {
    double ratio = (double)rows / (double)columns;
    switch (scaling) {
    case MS_SCALING_MOONLIGHT:
        return 0.2 * sqrt((double)(rows > columns ? rows : columns));
    case MS_SCALING_ROWS_COLS:
        return sqrt(ratio);
    case MS_SCALING_MAX_ROWS_COLS:
        return sqrt(ratio > 1 ? ratio : 1);
    }
    return NAN;
}

int64_t ms_muon_piece_rows(const ms_muon_settings *settings, const ms_optimizer_parameter *parameter, int i_group) {
    int64_t all = 0;
    if (settings->split == MS_SPLIT_PER_HEAD && parameter->per_head[i_group]) return settings->head_size;
    if (settings->split != MS_SPLIT_MERGED) return parameter->group_rows[i_group];
    for (int i = 0; i < parameter->n_groups; i++) all += parameter->group_rows[i];
    return all;
}

static bool decays_update(const ms_muon_settings *settings) {
    return settings->decay_mode == MS_DECAY_UPDATE || settings->decay_mode == MS_DECAY_BOTH;
}

static bool decays_weight(const ms_muon_settings *settings) {
    return settings->decay_mode == MS_DECAY_DECOUPLED || settings->decay_mode == MS_DECAY_BOTH;
}

double ms_muon_update_factor(const ms_muon_settings *settings) {
    return decays_update(settings) ? 1 + (double)settings->decay : 1;
}

double ms_muon_decay_share(const ms_muon_settings *settings, double rate) {
    return decays_weight(settings) ? rate * settings->decay : 0;
}

double ms_muon_largest_step(const ms_muon_settings *settings, const ms_optimizer_parameter *parameter, int i_group,
                            int64_t columns) {
    int64_t rows = parameter->group_rows[i_group], piece = ms_muon_piece_rows(settings, parameter, i_group);
    double step = ms_muon_scale(settings->scaling, piece, columns) * ms_muon_update_factor(settings);
    double pieces = rows > piece ? (double)rows / (double)piece : 1; /* one below the other */
    return step * ms_coefficients_get(settings->coefficients)->highest * sqrt(pieces);
}

static double peak_rate(const void *settings) { return ((const ms_muon_settings *)settings)->lr; }

static double momentum(const void *settings, int64_t step, double rate) {
    (void)step, (void)rate;
    return ((const ms_muon_settings *)settings)->momentum;
}

ms_status ms_muon_check(const ms_muon_settings *muon, const ms_optimizer_parameter *parameter,
                        const ms_variable *variable) {
    MS_TRY(ms_choice_check("muon: coefficients", (int)muon->coefficients, ms_coefficients_names));
    MS_TRY(ms_choice_check("muon: exponent", (int)muon->exponent, ms_exponent_names));
    MS_TRY(ms_choice_check("muon: scaling", (int)muon->scaling, ms_muon_scaling_names));
    MS_TRY(ms_choice_check("muon: split", (int)muon->split, ms_muon_split_names));
    MS_TRY(ms_choice_check("muon: decay_mode", (int)muon->decay_mode, ms_decay_mode_names));
    if (!(muon->lr >= 0)) return MS_FAIL(MS_INVALID, "muon: learning rate %g is negative", muon->lr);
    if (!(muon->momentum >= 0 && muon->momentum < 1))
        return MS_FAIL(MS_INVALID, "muon: momentum %g, must be in [0, 1)", muon->momentum);
    if (!parameter->is_matrix)
        return MS_FAIL(MS_INVALID, "muon: %s is no stack of matrices; give it another rule", variable->name);
    for (int i = 0; i < parameter->n_groups; i++) {
        bool split = muon->split == MS_SPLIT_PER_HEAD && parameter->per_head[i];
        if (split && (muon->head_size < 1 || parameter->group_rows[i] % muon->head_size != 0))
            return MS_FAIL(MS_INVALID, "muon: %s: %lld rows are not whole heads of %d", variable->name,
                           (long long)parameter->group_rows[i], muon->head_size);
    }
    return MS_OK;
}

static ms_status check(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable) {
    return ms_muon_check(settings, parameter, variable);
}

/* What the update of a parameter is made with. */
typedef struct maker {
    const ms_muon_settings *settings;
    ms_graph *graph;
    const ms_optimizer_parameter *parameter;
    const ms_muon_piece_change *change; /* or NULL */
    ms_tensor *orthogonal;              /* where O [L,R,C] is gathered, from u on; NULL: it is not wanted */
} maker;

/* Orthogonalises rows [begin, begin + rows of rows_of_u) of u alone, in pieces of piece_rows, and scales each. */
static ms_tensor direction_of_group(const maker *m, ms_tensor rows_of_u, int64_t begin, int64_t piece_rows) {
    ms_graph *graph = m->graph;
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, rows_of_u)->shape;
    int64_t pieces = shape.dim[1] / piece_rows;
    ms_tensor u = ms_reshape(graph, rows_of_u, ms_shape_3(shape.dim[0] * pieces, piece_rows, shape.dim[2]));
    ms_tensor o = ms_spectral_power(graph, u, m->settings->exponent, m->settings->coefficients);
    if (m->orthogonal) {
        ms_tensor rows = ms_reshape(graph, o, shape);
        bool is_all = m->parameter->n_groups == 1 || m->settings->split == MS_SPLIT_MERGED;
        *m->orthogonal = is_all ? rows : ms_insert(graph, *m->orthogonal, rows, begin);
    }
    if (m->change) o = m->change->apply(m->change->context, graph, o, begin, shape.dim[1]);
    double scale = ms_muon_scale(m->settings->scaling, piece_rows, shape.dim[2]);
    o = ms_axpby(graph, ms_constant((float)scale), o, ms_constant(0), MS_NO_TENSOR);
    return ms_reshape(graph, o, shape);
}

/* The scaled orthogonalised update U [L,R,C] of u. */
static ms_tensor direction_of(const maker *m, ms_tensor u) {
    ms_graph *graph = m->graph;
    const ms_optimizer_parameter *parameter = m->parameter;
    ms_muon_split split = m->settings->split;
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    int64_t rows = ms_graph_tensor(graph, u)->shape.dim[1];
    bool split_heads = split == MS_SPLIT_PER_HEAD && parameter->per_head[0];
    if (split == MS_SPLIT_MERGED || (parameter->n_groups == 1 && !split_heads))
        return direction_of_group(m, u, 0, rows);
    ms_tensor groups[MS_MAX_ROW_GROUPS];
    int64_t begin = 0;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++])
        groups[i] = ms_slice(graph, u, begin, parameter->group_rows[i]);
    ms_tensor direction = u;
    begin = 0;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++]) {
        int64_t piece = ms_muon_piece_rows(m->settings, parameter, i);
        direction = ms_insert(graph, direction, direction_of_group(m, groups[i], begin, piece), begin);
    }
    return direction;
}

ms_tensor ms_muon_delta(const ms_muon_settings *settings, ms_graph *graph, const ms_rule_inputs *inputs,
                        const ms_muon_piece_change *change) {
    maker m = {settings, graph, inputs->parameter, change, NULL};
    int lr_scalar = inputs->first_scalar + LR;
    ms_ema_nesterov_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.momentum = ms_step_scalar(1, inputs->first_scalar + MOMENTUM);
    attributes.nesterov = settings->nesterov;
    ms_tensor state = inputs->states[MOMENTUM_STATE], new_momentum, u;
    ms_ema_nesterov(graph, (const ms_tensor[]){state, inputs->gradient, inputs->clip}, &attributes, &new_momentum, &u);
    ms_assign(graph, new_momentum, state);
    u = ms_rule_with_noise(graph, inputs, true, u);
    if (inputs->captured) {
        inputs->captured[MS_CAPTURE_MOMENTUM] = inputs->captured[MS_CAPTURE_ORTHOGONAL] = u;
        m.orthogonal = &inputs->captured[MS_CAPTURE_ORTHOGONAL];
    }
    ms_tensor direction = ms_rule_with_noise(graph, inputs, false, direction_of(&m, u));
    ms_coefficient rate = ms_step_scalar(decays_update(settings) ? 1 + settings->decay : 1, lr_scalar);
    if (!decays_weight(settings)) return ms_axpby(graph, rate, direction, ms_constant(0), MS_NO_TENSOR);
    ms_tensor decayed = ms_rule_decayed_weight(graph, inputs, direction);
    return ms_axpby(graph, rate, direction, ms_step_scalar(settings->decay, lr_scalar), decayed);
}

static double decay_share(const void *settings, double rate) { return ms_muon_decay_share(settings, rate); }

static ms_tensor delta(ms_graph *graph, const ms_rule_inputs *inputs) {
    return ms_muon_delta(inputs->settings, graph, inputs, NULL);
}

const ms_optimizer_rule ms_muon_rule = {
    .name = "muon",
    .n_states = N_STATES,
    .states = {[MOMENTUM_STATE] = {"momentum", NULL}},
    .n_scalars = N_SCALARS,
    .scalars = {[LR] = {"lr", NULL}, [MOMENTUM] = {"momentum", momentum}},
    .heeds_interventions = true,
    .orthogonalises = true,
    .peak_rate = peak_rate,
    .check = check,
    .delta = delta,
    .captures = {[MS_CAPTURE_MOMENTUM] = true, [MS_CAPTURE_ORTHOGONAL] = true},
    .decay_share = decay_share,
};
