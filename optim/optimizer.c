#include "optim/optimizer.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "backend/exact_constants.h"
#include "backend/ir/build.h"
#include "optim/noise.h"
#include "optim/qk_clip.h"
#include "platform/choice.h"

const char *const ms_optimizer_kind_names[] = {
#define RULE(upper, lower) [MS_OPTIMIZER_##upper] = #lower,
#include "optim/rules.def"
#undef RULE
    NULL};

/* The table of rules. */
static const struct {
    const ms_optimizer_rule *rule;
    size_t settings; /* offset in ms_optimizer_config */
} table[MS_OPTIMIZER_COUNT] = {
#define RULE(upper, lower) [MS_OPTIMIZER_##upper] = {&ms_##lower##_rule, offsetof(ms_optimizer_config, lower)},
#include "optim/rules.def"
#undef RULE
};

const ms_optimizer_rule *ms_optimizer_kind_rule(ms_optimizer_kind kind) {
    return (unsigned)kind < MS_OPTIMIZER_COUNT ? table[kind].rule : NULL;
}

static ms_rule_use rule_of(const ms_optimizer_config *config, ms_optimizer_kind kind) {
    return (ms_rule_use){table[kind].rule, (const char *)config + table[kind].settings};
}

static ms_status add_variable(ms_optimizer *optimizer, const char *name, ms_variable_kind kind, ms_shape shape,
                              int32_t *out) {
    int index;
    MS_TRY(ms_variables_add(optimizer->variables, name, kind, MS_DTYPE_F32, shape, &index));
    *out = index;
    return MS_OK;
}

static ms_status add_output(ms_optimizer *optimizer, const char *name, int64_t count, int32_t *out) {
    return add_variable(optimizer, name, MS_VARIABLE_OUTPUT, ms_shape_1(count), out);
}

/* "<prefix>.<name of the parameter>". */
static ms_status add_beside(ms_optimizer *optimizer, const char *prefix, int parameter, ms_variable_kind kind,
                            ms_shape shape, int32_t *out) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", prefix, ms_variables_get(optimizer->variables, parameter)->name);
    return add_variable(optimizer, name, kind, shape, out);
}

static ms_status init_rules(ms_optimizer *optimizer) {
    const ms_optimizer_config *config = &optimizer->config;
    ms_rule_use matrices = config->matrices_rule.rule ? config->matrices_rule : rule_of(config, config->kind);
    ms_rule_use others = rule_of(config, MS_OPTIMIZER_ADAMW);
    if (matrices.settings == others.settings && config->adamw.matrix_lr != 0) {
        optimizer->matrices_adamw = config->adamw;
        optimizer->matrices_adamw.lr = config->adamw.matrix_lr;
        matrices.settings = &optimizer->matrices_adamw;
    }
    optimizer->rules[optimizer->n_rules++].use = matrices;
    if (matrices.rule != others.rule || matrices.settings != others.settings)
        optimizer->rules[optimizer->n_rules++].use = others;
    for (int i = 0; i < optimizer->n_rules; i++) {
        optimizer->rules[i].first_scalar = optimizer->n_step_scalars;
        optimizer->n_step_scalars += optimizer->rules[i].use.rule->n_scalars;
    }
    MS_TRY(ms_interventions_check(&config->interventions, &optimizer->rules[0].use));
    if (ms_interventions_need_scalars(&config->interventions)) {
        optimizer->first_intervention = optimizer->n_step_scalars;
        optimizer->n_step_scalars += MS_N_INTERVENTION_SCALARS;
    }
    return MS_OK;
}

static ms_status add_step_scalars(ms_optimizer *optimizer) {
    for (int i = 0; i < optimizer->n_parameters && optimizer->config.interventions.soft_cap != 0; i++) {
        ms_optimizer_entry *entry = &optimizer->parameters[i];
        entry->first_cap = optimizer->n_step_scalars;
        if (entry->parameter.is_matrix) optimizer->n_step_scalars += entry->parameter.n_groups;
    }
    return add_variable(optimizer, "step_scalars", MS_VARIABLE_INPUT, ms_shape_1(optimizer->n_step_scalars),
                        &optimizer->step_scalars);
}

static ms_status add_state(ms_optimizer *optimizer, const char *prefix, int parameter, ms_shape shape, int32_t *out) {
    return add_beside(optimizer, prefix, parameter, MS_VARIABLE_STATE, shape, out);
}

static bool has_part(const ms_optimizer_entry *entry) { return entry->shape.dim[0] > 0; }

static ms_status add_states(ms_optimizer *optimizer, const ms_optimizer_rule *rule, ms_optimizer_entry *entry) {
    const ms_interventions *interventions = &optimizer->config.interventions;
    const ms_optimizer_parameter *parameter = &entry->parameter;
    ms_shape of = entry->shape;
    for (int i = 0; i < MS_MAX_RULE_STATES; i++) entry->states[i] = -1;
    entry->initial_squares = entry->top_directions = -1;
    if (!has_part(entry)) return MS_OK;
    for (int i = 0; i < rule->n_states; i++) {
        ms_shape shape = rule->states[i].shape ? rule->states[i].shape(&of) : of;
        MS_TRY(add_state(optimizer, rule->states[i].prefix, parameter->variable, shape, &entry->states[i]));
    }
    if (parameter->is_matrix && ms_interventions_keep_norms(interventions))
        MS_TRY(add_state(optimizer, "initial_squares", parameter->variable,
                         ms_intervention_norms_shape(&of, parameter->n_groups), &entry->initial_squares));
    if (parameter->is_matrix && ms_interventions_keep_directions(interventions))
        MS_TRY(add_state(optimizer, "top_directions", parameter->variable,
                         ms_intervention_directions_shape(&of, parameter->n_groups), &entry->top_directions));
    return MS_OK;
}

bool ms_optimizer_captures(const ms_optimizer *optimizer, ms_capture capture) {
    return optimizer->config.captures && optimizer->rules[0].use.rule->captures[capture];
}

static ms_status add_captures(ms_optimizer *optimizer, ms_optimizer_entry *entry) {
    static const char *const prefixes[] = {
        [MS_CAPTURE_MOMENTUM] = "captured_momentum", [MS_CAPTURE_ORTHOGONAL] = "captured_orthogonal"};
    int parameter = entry->parameter.variable;
    ms_shape shape = ms_variables_get(optimizer->variables, parameter)->shape;
    for (int i = 0; i < MS_CAPTURE_COUNT; i++) {
        entry->captures[i] = -1;
        if (!entry->parameter.is_matrix || !ms_optimizer_captures(optimizer, (ms_capture)i)) continue;
        MS_TRY(add_beside(optimizer, prefixes[i], parameter, MS_VARIABLE_OUTPUT, shape, &entry->captures[i]));
    }
    return MS_OK;
}

/* Which part of a parameter is updated, and where its sums of blocks stand. */
static ms_status set_part(ms_optimizer *optimizer, ms_optimizer_entry *entry) {
    const ms_optimizer_parameter *parameter = &entry->parameter;
    const ms_variable *variable = ms_variables_get(optimizer->variables, parameter->variable);
    int64_t first = parameter->first_row, n = parameter->n_rows, rows = variable->shape.dim[0];
    int64_t count = ms_shape_count(&variable->shape), end = first + n;
    entry->shape = variable->shape;
    entry->parameter.first_row = optimizer->config.sharded ? first : 0;
    if (!optimizer->config.sharded) return MS_OK;
    bool cuts = !parameter->is_matrix && n > 0;
    if (first < 0 || n < 0 || end > rows || (cuts && first * (count / rows) % MS_REDUCE_BLOCK != 0) ||
        (cuts && end < rows && end * (count / rows) % MS_REDUCE_BLOCK != 0))
        return MS_FAIL(MS_INVALID, "optimizer: rows %lld to %lld of the %lld of %s are no part to be updated alone",
                       (long long)first, (long long)end - 1, (long long)rows, variable->name);
    entry->shape.dim[0] = n;
    entry->first_element = first * (count / rows);
    if (parameter->is_matrix) return MS_OK;
    entry->first_block = optimizer->n_blocks;
    entry->n_blocks = (int32_t)((count + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK);
    optimizer->n_blocks += entry->n_blocks;
    return MS_OK;
}

static ms_status add_parameter(ms_optimizer *optimizer, const ms_optimizer_parameter *parameter) {
    ms_optimizer_entry *entry = &optimizer->parameters[optimizer->n_parameters++];
    entry->parameter = *parameter;
    entry->i_rule = parameter->is_matrix ? 0 : optimizer->n_rules - 1;
    const ms_variable *variable = ms_variables_get(optimizer->variables, parameter->variable);
    if (parameter->is_matrix && variable->shape.rank != 3)
        return MS_FAIL(MS_INVALID, "optimizer: %s has rank %d, a stack of matrices has 3", variable->name,
                       variable->shape.rank);
    const ms_rule_use *use = &optimizer->rules[entry->i_rule].use;
    MS_TRY(use->rule->check(use->settings, parameter, variable));
    entry->first_norm = optimizer->n_norms;
    entry->n_norms = parameter->is_matrix ? (int32_t)variable->shape.dim[0] * parameter->n_groups : 1;
    optimizer->n_norms += entry->n_norms;
    MS_TRY(set_part(optimizer, entry));
    MS_TRY(add_captures(optimizer, entry));
    return add_states(optimizer, use->rule, entry);
}

ms_status ms_optimizer_init(const ms_optimizer_config *config, ms_variables *variables,
                            const ms_optimizer_parameter *parameters, int n_parameters, ms_optimizer *out) {
    memset(out, 0, sizeof *out);
    if (n_parameters < 1 || n_parameters > MS_MAX_OPTIMIZER_PARAMETERS)
        return MS_FAIL(MS_INVALID, "optimizer: %d parameters, must be 1 to %d", n_parameters,
                       MS_MAX_OPTIMIZER_PARAMETERS);
    if (!config->matrices_rule.rule)
        MS_TRY(ms_choice_check("optimizer: kind", (int)config->kind, ms_optimizer_kind_names));
    if (!(config->gradient_clip >= 0))
        return MS_FAIL(MS_INVALID, "optimizer: gradient clip %g is negative", (double)config->gradient_clip);
    if (config->master != MS_DTYPE_F32 && config->master != MS_DTYPE_BF16)
        return MS_FAIL(MS_INVALID, "optimizer: master is %d, must be %d (f32) or %d (bf16)", (int)config->master,
                       MS_DTYPE_F32, MS_DTYPE_BF16);
    out->config = *config;
    out->variables = variables;
    MS_TRY(init_rules(out));
    for (int i = 0; i < n_parameters; i++) MS_TRY(add_parameter(out, &parameters[i]));
    MS_TRY(ms_qk_clip_check(&config->interventions, variables, parameters, n_parameters));
    MS_TRY(add_step_scalars(out));
    ms_optimizer_step peak;
    if (config->interventions.soft_cap != 0) MS_TRY(ms_optimizer_step_at(out, 0, 1, &peak)); /* is the cap too low? */
    MS_TRY(add_output(out, "gradient_squares", out->n_norms, &out->gradient_squares));
    MS_TRY(add_output(out, "weight_squares", out->n_norms, &out->weight_squares));
    MS_TRY(add_output(out, "update_squares", out->n_norms, &out->update_squares));
    out->block_squares = -1;
    if (out->n_blocks > 0) MS_TRY(add_output(out, "block_squares", out->n_blocks, &out->block_squares));
    return add_output(out, "clip", 2, &out->clip);
}

/* The part of a parameter that is updated, in the parameter's variable or one of its shape. */
static ms_tensor view_part(ms_graph *graph, const ms_optimizer_entry *entry, int32_t variable) {
    return ms_view(graph, variable, entry->first_element, entry->shape);
}

/* Assigns the sums of squares of x, laid out as the part of the parameter, to its place of the output variable. */
static void store_squares(ms_graph *graph, const ms_optimizer_entry *entry, ms_tensor x, int32_t output) {
    const ms_optimizer_parameter *parameter = &entry->parameter;
    ms_tensor squares;
    int64_t first = entry->first_norm, n = 1;
    if (parameter->is_matrix) {
        squares = ms_sum_squares(graph, x, parameter->n_groups, parameter->group_rows);
        n = entry->shape.dim[0] * parameter->n_groups;
        first += parameter->first_row * parameter->n_groups;
        squares = ms_reshape(graph, squares, ms_shape_1(n));
    } else {
        squares = ms_sum_squares(graph, x, 0, NULL);
    }
    ms_assign(graph, squares, ms_view(graph, output, first, ms_shape_1(n)));
}

/* Assigns the sums of squares of n_blocks blocks of the gradient, of `length` elements each, to their places. */
static void store_blocks(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry,
                         int64_t first_element, int64_t n_blocks, int64_t length) {
    const int64_t one = 1;
    if (n_blocks == 0 || length == 0) return;
    ms_tensor blocks = ms_view(graph, entry->parameter.gradient, first_element, ms_shape_3(n_blocks, 1, length));
    ms_tensor squares = ms_reshape(graph, ms_sum_squares(graph, blocks, 1, &one), ms_shape_1(n_blocks));
    int64_t place = entry->first_block + first_element / MS_REDUCE_BLOCK;
    ms_assign(graph, squares, ms_view(graph, optimizer->block_squares, place, ms_shape_1(n_blocks)));
}

ms_status ms_optimizer_squares(const ms_optimizer *optimizer, ms_graph *graph) {
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_entry *entry = &optimizer->parameters[i];
        if (!has_part(entry)) continue;
        if (entry->parameter.is_matrix) {
            store_squares(graph, entry, view_part(graph, entry, entry->parameter.gradient),
                          optimizer->gradient_squares);
            continue;
        }
        int64_t count = ms_shape_count(&entry->shape), whole = count / MS_REDUCE_BLOCK * MS_REDUCE_BLOCK;
        store_blocks(optimizer, graph, entry, entry->first_element, whole / MS_REDUCE_BLOCK, MS_REDUCE_BLOCK);
        store_blocks(optimizer, graph, entry, entry->first_element + whole, 1, count - whole);
    }
    return ms_graph_status(graph);
}

/* What is left of the sums of squares of a sharded update when those of all shards are there. */
static void sum_blocks(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry) {
    if (entry->parameter.is_matrix) return;
    ms_tensor blocks = ms_view(graph, optimizer->block_squares, entry->first_block, ms_shape_1(entry->n_blocks));
    ms_assign(graph, ms_sum(graph, blocks),
              ms_view(graph, optimizer->gradient_squares, entry->first_norm, ms_shape_1(1)));
}

static ms_tensor rounded_to_bf16(ms_graph *graph, ms_tensor x) {
    return ms_cast(graph, ms_cast(graph, x, MS_DTYPE_BF16), MS_DTYPE_F32);
}

/* Stores new weights that are not the rule's alone.  The update that counts is what the weights change by. */
static void store_changed(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry,
                          ms_tensor weight, ms_tensor changed) {
    ms_tensor applied = ms_axpby(graph, ms_constant(1), weight, ms_constant(-1), changed);
    store_squares(graph, entry, applied, optimizer->update_squares);
    ms_assign(graph, changed, weight);
}

/* Rounds what the rule has stored. */
static void round_states(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry) {
    for (int i = 0; i < optimizer->rules[entry->i_rule].use.rule->n_states; i++) {
        ms_tensor state = ms_view_all(graph, entry->states[i]);
        ms_assign(graph, rounded_to_bf16(graph, state), state);
    }
}

static int64_t stack_layers(const ms_optimizer *optimizer, const ms_optimizer_entry *entry) {
    return ms_variables_get(optimizer->variables, entry->parameter.variable)->shape.dim[0];
}

/* The new weights of a layer matrix. */
static ms_tensor intervene(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry,
                           ms_tensor delta) {
    int squares = entry->initial_squares, directions = entry->top_directions;
    const ms_intervention_inputs inputs = {
        .settings = &optimizer->config.interventions,
        .parameter = &entry->parameter,
        .name = ms_variables_get(optimizer->variables, entry->parameter.variable)->name,
        .weight = view_part(graph, entry, entry->parameter.variable),
        .delta = delta,
        .layers = stack_layers(optimizer, entry),
        .initial_squares = squares < 0 ? MS_NO_TENSOR : ms_view_all(graph, squares),
        .top_directions = directions < 0 ? MS_NO_TENSOR : ms_view_all(graph, directions),
        .first_scalar = optimizer->first_intervention,
        .first_cap = entry->first_cap};
    return ms_interventions_apply(graph, &inputs);
}

static ms_noise noise_of(const ms_optimizer *optimizer, const ms_optimizer_entry *entry) {
    const ms_interventions *interventions = &optimizer->config.interventions;
    return (ms_noise){.strength = interventions->noise,
                      .is_before = interventions->noise_place == MS_NOISE_BEFORE,
                      .first_layer = interventions->noise_first_layer,
                      .last_layer = interventions->noise_last_layer,
                      .layers = stack_layers(optimizer, entry),
                      .seed = interventions->seed,
                      .name = ms_variables_get(optimizer->variables, entry->parameter.variable)->name,
                      .step_scalar = optimizer->first_intervention + MS_INTERVENTION_STEP};
}

static bool parameter_is_captured(const ms_optimizer_entry *entry) {
    for (int i = 0; i < MS_CAPTURE_COUNT; i++)
        if (entry->captures[i] >= 0) return true;
    return false;
}

/* clip: MS_NO_TENSOR when clipping is off. */
static void update_parameter(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_entry *entry,
                             ms_tensor clip, bool capture) {
    const ms_optimizer_rule_in_use *in_use = &optimizer->rules[entry->i_rule];
    const ms_optimizer_rule *rule = in_use->use.rule;
    const ms_interventions *interventions = &optimizer->config.interventions;
    bool is_noisy = entry->parameter.is_matrix && interventions->noise != 0;
    const ms_noise noise = noise_of(optimizer, entry);
    ms_rule_inputs inputs = {.settings = in_use->use.settings,
                             .parameter = &entry->parameter,
                             .weight = view_part(graph, entry, entry->parameter.variable),
                             .gradient = view_part(graph, entry, entry->parameter.gradient),
                             .clip = clip,
                             .cautious_decay = entry->parameter.is_matrix && interventions->cautious_decay,
                             .noise = is_noisy ? &noise : NULL,
                             .first_scalar = in_use->first_scalar};
    store_squares(graph, entry, inputs.weight, optimizer->weight_squares);
    for (int i = 0; i < rule->n_states; i++) inputs.states[i] = ms_view_all(graph, entry->states[i]);
    ms_tensor captured[MS_CAPTURE_COUNT];
    for (int i = 0; i < MS_CAPTURE_COUNT; i++) captured[i] = MS_NO_TENSOR;
    if (capture && parameter_is_captured(entry)) inputs.captured = captured;
    ms_tensor delta = rule->delta(graph, &inputs);
    for (int i = 0; i < MS_CAPTURE_COUNT; i++)
        if (inputs.captured && entry->captures[i] >= 0)
            ms_assign(graph, captured[i], view_part(graph, entry, entry->captures[i]));
    bool intervenes = entry->parameter.is_matrix && ms_interventions_on_groups(interventions);
    bool clips = ms_qk_clip_touches(interventions, &entry->parameter);
    bool rounds = optimizer->config.master == MS_DTYPE_BF16;
    if (intervenes || clips || rounds) {
        ms_tensor changed = intervenes ? intervene(optimizer, graph, entry, delta)
                                       : ms_axpby(graph, ms_constant(1), inputs.weight, ms_constant(-1), delta);
        if (clips) changed = ms_qk_clip(graph, interventions, &entry->parameter, changed);
        if (rounds) changed = rounded_to_bf16(graph, changed);
        store_changed(optimizer, graph, entry, inputs.weight, changed);
        if (rounds) round_states(optimizer, graph, entry);
        return;
    }
    store_squares(graph, entry, delta, optimizer->update_squares);
    ms_assign(graph, ms_axpby(graph, ms_constant(1), inputs.weight, ms_constant(-1), delta), inputs.weight);
}

static ms_status update(const ms_optimizer *optimizer, ms_graph *graph, bool capture) {
    const ms_optimizer_config *config = &optimizer->config;
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_entry *entry = &optimizer->parameters[i];
        if (config->sharded)
            sum_blocks(optimizer, graph, entry);
        else
            store_squares(graph, entry, view_part(graph, entry, entry->parameter.gradient),
                          optimizer->gradient_squares);
    }
    /* Without clipping the norm is still reported: a limit that no f32 norm exceeds makes the factor 1. */
    float max_norm = config->gradient_clip > 0 ? config->gradient_clip : INFINITY;
    ms_tensor clip = ms_clip_factor(graph, ms_view_all(graph, optimizer->gradient_squares), max_norm);
    ms_assign(graph, clip, ms_view_all(graph, optimizer->clip));
    ms_tensor used_clip = config->gradient_clip > 0 ? clip : MS_NO_TENSOR;
    for (int i = 0; i < optimizer->n_parameters; i++)
        if (has_part(&optimizer->parameters[i]))
            update_parameter(optimizer, graph, &optimizer->parameters[i], used_clip, capture);
    return ms_graph_status(graph);
}

ms_status ms_optimizer_update(const ms_optimizer *optimizer, ms_graph *graph) {
    return update(optimizer, graph, false);
}

ms_status ms_optimizer_update_captured(const ms_optimizer *optimizer, ms_graph *graph) {
    return update(optimizer, graph, true);
}

ms_status ms_optimizer_round(const ms_optimizer *optimizer, ms_graph *graph) {
    for (int i = 0; i < optimizer->n_parameters && optimizer->config.master == MS_DTYPE_BF16; i++) {
        ms_tensor weight = ms_view_all(graph, optimizer->parameters[i].parameter.variable);
        ms_assign(graph, rounded_to_bf16(graph, weight), weight);
    }
    return ms_graph_status(graph);
}

/* The strengths of the soft cap; Muon is the rule. */
static ms_status set_caps(const ms_optimizer *optimizer, double rate, float *scalars) {
    const ms_muon_settings *muon = optimizer->rules[0].use.settings;
    double cap = (double)optimizer->config.interventions.soft_cap, strength;
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_entry *entry = &optimizer->parameters[i];
        const ms_optimizer_parameter *parameter = &entry->parameter;
        if (!parameter->is_matrix) continue;
        int64_t columns = ms_variables_get(optimizer->variables, parameter->variable)->shape.dim[2];
        for (int j = 0; j < parameter->n_groups; j++) {
            double growth = rate * ms_muon_largest_step(muon, parameter, j, columns);
            MS_TRY(ms_soft_cap_strength(cap, growth, &strength));
            scalars[entry->first_cap + j] = (float)strength;
        }
    }
    return MS_OK;
}

ms_status ms_optimizer_step_at(const ms_optimizer *optimizer, int64_t step, double factor, ms_optimizer_step *out) {
    *out = (ms_optimizer_step){0};
    for (int i = 0; i < optimizer->n_rules; i++) {
        const ms_optimizer_rule_in_use *in_use = &optimizer->rules[i];
        const ms_optimizer_rule *rule = in_use->use.rule;
        double rate = rule->peak_rate(in_use->use.settings) * factor;
        if (i == 0) out->matrices_lr = rate;
        if (i == optimizer->n_rules - 1) out->others_lr = rate;
        for (int j = 0; j < rule->n_scalars; j++) {
            const ms_rule_scalar *scalar = &rule->scalars[j];
            double value = scalar->value ? scalar->value(in_use->use.settings, step, rate) : rate;
            if (!isfinite(value))
                return MS_FAIL(MS_NUMERIC, "optimizer: %s of %s is %g at step %lld", scalar->name, rule->name, value,
                               (long long)step + 1);
            out->scalars[in_use->first_scalar + j] = (float)value;
        }
    }
    const ms_interventions *interventions = &optimizer->config.interventions;
    if (interventions->noise != 0 && step > MS_NOISE_LAST_STEP)
        return MS_FAIL(MS_INVALID, "intervention: noise is keyed by steps up to %d", MS_NOISE_LAST_STEP);
    if (ms_interventions_need_scalars(interventions))
        ms_intervention_scalars(step, out->matrices_lr, out->scalars + optimizer->first_intervention);
    return interventions->soft_cap != 0 ? set_caps(optimizer, out->matrices_lr, out->scalars) : MS_OK;
}

int ms_optimizer_norm_index(const ms_optimizer *optimizer, int i_parameter, int layer, int group) {
    const ms_optimizer_entry *entry = &optimizer->parameters[i_parameter];
    return entry->first_norm + (entry->parameter.is_matrix ? layer * entry->parameter.n_groups + group : 0);
}
