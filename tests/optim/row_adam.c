#include "tests/optim/row_adam.h"

#include <math.h>
#include <string.h>

#include "backend/ir/build.h"

enum { MOMENTUM, ROW_SECOND_MOMENT, N_STATES };
enum { LR, CORRECTED_LR, INVERSE_BIAS2, N_SCALARS };

static ms_shape one_a_row(const ms_shape *parameter) { return ms_shape_2(parameter->dim[0], parameter->dim[1]); }

static double corrected_lr(const void *settings, int64_t step, double rate) {
    return rate / (1 - pow((double)((const row_adam_settings *)settings)->beta1, (double)step + 1));
}

static double inverse_bias2(const void *settings, int64_t step, double rate) {
    (void)rate;
    return 1 / (1 - pow((double)((const row_adam_settings *)settings)->beta2, (double)step + 1));
}

static double peak_rate(const void *settings) { return ((const row_adam_settings *)settings)->lr; }

static ms_status check(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable) {
    (void)settings;
    if (!parameter->is_matrix) return MS_FAIL(MS_INVALID, "row_adam: %s has no rows", variable->name);
    return MS_OK;
}

static ms_tensor delta(ms_graph *graph, const ms_rule_inputs *inputs) {
    const row_adam_settings *settings = inputs->settings;
    ms_shape shape = ms_graph_tensor(graph, inputs->weight)->shape;
    int64_t rows = shape.dim[0] * shape.dim[1], columns = shape.dim[2], one = 1;
    ms_ema_nesterov_attributes ema, no_memory;
    memset(&ema, 0, sizeof ema);
    memset(&no_memory, 0, sizeof no_memory);
    ema.momentum = ms_constant(settings->beta1);
    no_memory.momentum = ms_constant(0);
    ms_tensor momentum = inputs->states[MOMENTUM], second = inputs->states[ROW_SECOND_MOMENT];
    ms_tensor clipped, new_momentum, unused;
    ms_ema_nesterov(graph, (const ms_tensor[]){momentum, inputs->gradient, inputs->clip}, &no_memory, &clipped,
                    &unused);
    ms_ema_nesterov(graph, (const ms_tensor[]){momentum, inputs->gradient, inputs->clip}, &ema, &new_momentum, &unused);
    ms_tensor squares = ms_sum_squares(graph, ms_reshape(graph, clipped, ms_shape_3(rows, 1, columns)), 1, &one);
    ms_tensor new_second = ms_axpby(graph, ms_constant(settings->beta2), ms_reshape(graph, second, ms_shape_2(rows, 1)),
                                    ms_constant((1 - settings->beta2) / (float)columns), squares);
    ms_tensor corrected = ms_axpby(graph, ms_step_scalar(1, inputs->first_scalar + INVERSE_BIAS2), new_second,
                                   ms_constant(0), MS_NO_TENSOR);
    ms_tensor direction = ms_scale_by_inverse_norm(graph, ms_reshape(graph, new_momentum, ms_shape_3(rows, 1, columns)),
                                                   corrected, 1, settings->epsilon);
    ms_assign(graph, new_momentum, momentum);
    ms_assign(graph, ms_reshape(graph, new_second, ms_shape_2(shape.dim[0], shape.dim[1])), second);
    return ms_axpby(graph, ms_step_scalar(1, inputs->first_scalar + CORRECTED_LR), ms_reshape(graph, direction, shape),
                    ms_step_scalar(settings->decay, inputs->first_scalar + LR), inputs->weight);
}

const ms_optimizer_rule row_adam_rule = {
    .name = "row_adam",
    .n_states = N_STATES,
    .states = {[MOMENTUM] = {"momentum", NULL}, [ROW_SECOND_MOMENT] = {"row_second_moment", one_a_row}},
    .n_scalars = N_SCALARS,
    .scalars = {[LR] = {"lr", NULL},
                [CORRECTED_LR] = {"corrected_lr", corrected_lr},
                [INVERSE_BIAS2] = {"inverse_bias2", inverse_bias2}},
    .peak_rate = peak_rate,
    .check = check,
    .delta = delta,
};
