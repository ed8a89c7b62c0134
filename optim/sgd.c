#include "optim/sgd.h"

#include "backend/ir/build.h"
#include "optim/rule_interventions.h"

enum { MOMENTUM_STATE, N_STATES };
enum { LR, MOMENTUM, N_SCALARS };

static double peak_rate(const void *settings) { return ((const ms_sgd_settings *)settings)->lr; }

static double momentum(const void *settings, int64_t step, double rate) {
    (void)step, (void)rate;
    return ((const ms_sgd_settings *)settings)->momentum;
}

static ms_status check(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable) {
    const ms_sgd_settings *sgd = settings;
    (void)parameter, (void)variable;
    if (!(sgd->lr >= 0)) return MS_FAIL(MS_INVALID, "sgd: learning rate %g is negative", sgd->lr);
    if (!(sgd->momentum >= 0 && sgd->momentum < 1))
        return MS_FAIL(MS_INVALID, "sgd: momentum %g, must be in [0, 1)", sgd->momentum);
    if (!(sgd->decay >= 0)) return MS_FAIL(MS_INVALID, "sgd: decay %g is negative", (double)sgd->decay);
    return MS_OK;
}

static double decay_share(const void *settings, double rate) {
    return rate * ((const ms_sgd_settings *)settings)->decay;
}

static ms_tensor delta(ms_graph *graph, const ms_rule_inputs *inputs) {
    const ms_sgd_settings *settings = inputs->settings;
    ms_coefficient rate = ms_step_scalar(1, inputs->first_scalar + LR);
    ms_coefficient momentum_now = ms_step_scalar(1, inputs->first_scalar + MOMENTUM);
    ms_tensor state = inputs->states[MOMENTUM_STATE], gradient = inputs->gradient;
    if (inputs->clip != MS_NO_TENSOR) gradient = ms_mul(graph, gradient, ms_slice(graph, inputs->clip, 1, 1));
    ms_tensor buffer = ms_axpby(graph, momentum_now, state, ms_constant(1), gradient);
    ms_tensor u = settings->nesterov ? ms_axpby(graph, ms_constant(1), gradient, momentum_now, buffer) : buffer;
    u = ms_rule_with_noise(graph, inputs, false, u);
    ms_assign(graph, buffer, state);
    if (inputs->captured) inputs->captured[MS_CAPTURE_MOMENTUM] = u;
    if (settings->decay == 0) return ms_axpby(graph, rate, u, ms_constant(0), MS_NO_TENSOR);
    ms_tensor decayed = ms_rule_decayed_weight(graph, inputs, u);
    return ms_axpby(graph, rate, u, ms_step_scalar(settings->decay, inputs->first_scalar + LR), decayed);
}

const ms_optimizer_rule ms_sgd_rule = {
    .name = "sgd",
    .n_states = N_STATES,
    .states = {[MOMENTUM_STATE] = {"momentum", NULL}},
    .n_scalars = N_SCALARS,
    .scalars = {[LR] = {"lr", NULL}, [MOMENTUM] = {"momentum", momentum}},
    .heeds_interventions = true,
    .peak_rate = peak_rate,
    .check = check,
    .delta = delta,
    .captures = {[MS_CAPTURE_MOMENTUM] = true},
    .decay_share = decay_share,
};
