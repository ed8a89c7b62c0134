#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/ir/build.h"

double ms_muon_scale(ms_muon_scaling scaling, int64_t rows, int64_t columns) {
    double ratio = (double)rows / (double)columns;
    switch (scaling) {
    case MS_SCALING_MOONLIGHT:
        return 0.2 * sqrt((double)(rows > columns ? rows : columns));
    case MS_SCALING_ROWS_COLS:
        return sqrt(ratio);
    case MS_SCALING_MAX_ROWS_COLS:
        break;
    }
    return sqrt(ratio > 1 ? ratio : 1);
}

static ms_status add_state(ms_optimizer *optimizer, const char *prefix, const ms_variable *of, int32_t *out) {
    char name[128];
    int index;
    snprintf(name, sizeof name, "%s.%s", prefix, of->name);
    ms_shape shape = of->shape;
    MS_TRY(ms_variables_add(optimizer->variables, name, MS_VARIABLE_STATE, MS_DTYPE_F32, shape, &index));
    *out = index;
    return MS_OK;
}

static ms_status check_parameter(const ms_optimizer *optimizer, const ms_optimizer_parameter *parameter) {
    const ms_variable *variable = ms_variables_get(optimizer->variables, parameter->variable);
    if (!parameter->is_matrix) return MS_OK;
    if (variable->shape.rank != 3)
        return MS_FAIL(MS_INVALID, "optimizer: %s has rank %d, a stack of matrices has 3", variable->name,
                       variable->shape.rank);
    for (int i = 0; i < parameter->n_groups; i++) {
        bool split = optimizer->config.split == MS_SPLIT_PER_HEAD && parameter->per_head[i];
        if (split && (optimizer->config.head_size < 1 || parameter->group_rows[i] % optimizer->config.head_size != 0))
            return MS_FAIL(MS_INVALID, "optimizer: %s: %lld rows are not whole heads of %d", variable->name,
                           (long long)parameter->group_rows[i], optimizer->config.head_size);
    }
    return MS_OK;
}

static ms_status add_output(ms_optimizer *optimizer, const char *name, int64_t count, int32_t *out) {
    int index;
    MS_TRY(ms_variables_add(optimizer->variables, name, MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(count), &index));
    *out = index;
    return MS_OK;
}

ms_status ms_optimizer_init(const ms_optimizer_config *config, ms_variables *variables, int step_scalars,
                            const ms_optimizer_parameter *parameters, int n_parameters, ms_optimizer *out) {
    memset(out, 0, sizeof *out);
    if (n_parameters < 1 || n_parameters > MS_MAX_OPTIMIZER_PARAMETERS)
        return MS_FAIL(MS_INVALID, "optimizer: %d parameters, must be 1 to %d", n_parameters,
                       MS_MAX_OPTIMIZER_PARAMETERS);
    if (!(config->gradient_clip >= 0) || !(config->beta1 >= 0 && config->beta1 < 1) ||
        !(config->beta2 >= 0 && config->beta2 < 1) || !(config->epsilon > 0))
        return MS_FAIL(MS_INVALID,
                       "optimizer: gradient clip %g, betas %g and %g, epsilon %g: clip not negative, betas in [0, 1), "
                       "epsilon positive",
                       (double)config->gradient_clip, (double)config->beta1, (double)config->beta2,
                       (double)config->epsilon);
    out->config = *config;
    out->variables = variables;
    out->step_scalars = step_scalars;
    out->n_parameters = n_parameters;
    for (int i = 0; i < n_parameters; i++) {
        ms_optimizer_parameter *parameter = &out->parameters[i];
        *parameter = parameters[i];
        MS_TRY(check_parameter(out, parameter));
        const ms_variable *variable = ms_variables_get(variables, parameter->variable);
        int64_t layers = variable->shape.dim[0];
        ms_variable copy = *variable; /* the table may move while states are added */
        parameter->second = -1;
        MS_TRY(add_state(out, "momentum", &copy, &parameter->momentum));
        bool adamw = !parameter->is_matrix || config->kind == MS_OPTIMIZER_ADAMW;
        if (adamw) MS_TRY(add_state(out, "second_moment", &copy, &parameter->second));
        parameter->first_norm = out->n_norms;
        parameter->n_norms = parameter->is_matrix ? (int32_t)layers * parameter->n_groups : 1;
        out->n_norms += parameter->n_norms;
    }
    MS_TRY(add_output(out, "gradient_squares", out->n_norms, &out->gradient_squares));
    MS_TRY(add_output(out, "weight_squares", out->n_norms, &out->weight_squares));
    MS_TRY(add_output(out, "update_squares", out->n_norms, &out->update_squares));
    return add_output(out, "clip", 2, &out->clip);
}

/* Stores the sums of squares of x, laid out as parameter, into its place of the output variable. */
static void store_squares(ms_graph *graph, const ms_optimizer_parameter *parameter, ms_tensor x, int32_t output) {
    ms_tensor squares;
    if (parameter->is_matrix) {
        squares = ms_sum_squares(graph, x, parameter->n_groups, parameter->group_rows);
        squares = ms_reshape(graph, squares, ms_shape_1(parameter->n_norms));
    } else {
        squares = ms_sum_squares(graph, x, 0, NULL);
    }
    ms_assign(graph, squares, ms_view(graph, output, parameter->first_norm, ms_shape_1(parameter->n_norms)));
}

/* Orthogonalises rows [begin, begin + rows) of u alone, in pieces of piece_rows, and scales each. */
static ms_tensor update_of_group(const ms_optimizer *optimizer, ms_graph *graph, ms_tensor rows_of_u,
                                 int64_t piece_rows) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, rows_of_u)->shape;
    int64_t pieces = shape.dim[1] / piece_rows;
    ms_tensor u = ms_reshape(graph, rows_of_u, ms_shape_3(shape.dim[0] * pieces, piece_rows, shape.dim[2]));
    ms_tensor o = ms_orthogonalise(graph, u, optimizer->config.coefficients);
    double scale = ms_muon_scale(optimizer->config.scaling, piece_rows, shape.dim[2]);
    o = ms_axpby(graph, ms_constant((float)scale), o, ms_constant(0), MS_NO_TENSOR);
    return ms_reshape(graph, o, shape);
}

/* The scaled orthogonalised update U [L,R,C] of u. */
static ms_tensor muon_direction(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_parameter *parameter,
                                ms_tensor u) {
    const ms_optimizer_config *config = &optimizer->config;
    ms_shape shape = ms_variables_get(optimizer->variables, parameter->variable)->shape;
    bool split_heads = config->split == MS_SPLIT_PER_HEAD && parameter->per_head[0];
    if (config->split == MS_SPLIT_MERGED || (parameter->n_groups == 1 && !split_heads))
        return update_of_group(optimizer, graph, u, shape.dim[1]);
    ms_tensor groups[MS_MAX_SEGMENTS];
    int64_t begin = 0;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++])
        groups[i] = ms_slice(graph, u, begin, parameter->group_rows[i]);
    ms_tensor direction = u;
    begin = 0;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++]) {
        bool heads = config->split == MS_SPLIT_PER_HEAD && parameter->per_head[i];
        int64_t piece = heads ? config->head_size : parameter->group_rows[i];
        direction = ms_insert(graph, direction, update_of_group(optimizer, graph, groups[i], piece), begin);
    }
    return direction;
}

/* delta, to be subtracted from the weights. */
static ms_tensor muon_delta(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_parameter *parameter,
                            ms_tensor clip) {
    const ms_optimizer_config *config = &optimizer->config;
    ms_ema_nesterov_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.momentum = ms_step_scalar(1, MS_SCALAR_MOMENTUM);
    attributes.nesterov = config->nesterov;
    ms_tensor momentum = ms_view_all(graph, parameter->momentum), new_momentum, u;
    ms_ema_nesterov(graph, momentum, ms_view_all(graph, parameter->gradient), clip, &attributes, &new_momentum, &u);
    ms_assign(graph, new_momentum, momentum);
    ms_tensor direction = muon_direction(optimizer, graph, parameter, u);
    bool on_update = config->decay_mode == MS_DECAY_UPDATE || config->decay_mode == MS_DECAY_BOTH;
    bool on_weight = config->decay_mode == MS_DECAY_DECOUPLED || config->decay_mode == MS_DECAY_BOTH;
    ms_coefficient rate = ms_step_scalar(on_update ? 1 + config->decay : 1, MS_SCALAR_LR_MUON);
    if (!on_weight) return ms_axpby(graph, rate, direction, ms_constant(0), MS_NO_TENSOR);
    ms_coefficient decay = ms_step_scalar(config->decay, MS_SCALAR_LR_MUON);
    return ms_axpby(graph, rate, direction, decay, ms_view_all(graph, parameter->variable));
}

static ms_tensor adamw_delta(const ms_optimizer *optimizer, ms_graph *graph, const ms_optimizer_parameter *parameter,
                             ms_tensor clip) {
    const ms_optimizer_config *config = &optimizer->config;
    ms_adamw_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.lr = ms_step_scalar(1, MS_SCALAR_LR_ADAMW);
    attributes.beta1 = config->beta1;
    attributes.beta2 = config->beta2;
    attributes.epsilon = config->epsilon;
    attributes.decay = parameter->is_matrix ? config->matrix_decay : 0;
    attributes.inverse_bias1 = ms_step_scalar(1, MS_SCALAR_INVERSE_BIAS1);
    attributes.inverse_bias2 = ms_step_scalar(1, MS_SCALAR_INVERSE_BIAS2);
    ms_tensor inputs[5] = {ms_view_all(graph, parameter->momentum), ms_view_all(graph, parameter->second),
                           ms_view_all(graph, parameter->gradient), ms_view_all(graph, parameter->variable), clip};
    ms_tensor outputs[3];
    ms_adamw(graph, inputs, &attributes, outputs);
    ms_assign(graph, outputs[0], inputs[0]);
    ms_assign(graph, outputs[1], inputs[1]);
    return outputs[2];
}

ms_status ms_optimizer_update(const ms_optimizer *optimizer, ms_graph *graph) {
    const ms_optimizer_config *config = &optimizer->config;
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_parameter *parameter = &optimizer->parameters[i];
        store_squares(graph, parameter, ms_view_all(graph, parameter->gradient), optimizer->gradient_squares);
    }
    /* Without clipping the norm is still reported: a limit that no f32 norm exceeds makes the factor 1. */
    float max_norm = config->gradient_clip > 0 ? config->gradient_clip : INFINITY;
    ms_tensor clip = ms_clip_factor(graph, ms_view_all(graph, optimizer->gradient_squares), max_norm);
    ms_assign(graph, clip, ms_view_all(graph, optimizer->clip));
    ms_tensor used_clip = config->gradient_clip > 0 ? clip : MS_NO_TENSOR;
    for (int i = 0; i < optimizer->n_parameters; i++) {
        const ms_optimizer_parameter *parameter = &optimizer->parameters[i];
        bool muon = parameter->is_matrix && config->kind == MS_OPTIMIZER_MUON;
        ms_tensor weight = ms_view_all(graph, parameter->variable);
        store_squares(graph, parameter, weight, optimizer->weight_squares);
        ms_tensor delta = muon ? muon_delta(optimizer, graph, parameter, used_clip)
                               : adamw_delta(optimizer, graph, parameter, used_clip);
        store_squares(graph, parameter, delta, optimizer->update_squares);
        ms_assign(graph, ms_axpby(graph, ms_constant(1), weight, ms_constant(-1), delta), weight);
    }
    return ms_graph_status(graph);
}
