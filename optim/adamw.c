#include "optim/adamw.h"

#include <math.h>
#include <string.h>

#include "backend/ir/build.h"
#include "optim/rule_interventions.h"

enum { MOMENTUM, SECOND_MOMENT, N_STATES };
enum { LR, INVERSE_BIAS1, INVERSE_BIAS2, N_SCALARS };

static double peak_rate(const void *settings) { return ((const ms_adamw_settings *)settings)->lr; }

/* 1 / (1 - beta^t), t counts from 1. */
static double inverse_bias(float beta, int64_t step) { return 1 / (1 - pow((double)beta, (double)step + 1)); }

static double inverse_bias1(const void *settings, int64_t step, double rate) {
    (void)rate;
    return inverse_bias(((const ms_adamw_settings *)settings)->beta1, step);
}

static double inverse_bias2(const void *settings, int64_t step, double rate) {
    (void)rate;
    return inverse_bias(((const ms_adamw_settings *)settings)->beta2, step);
}

static ms_status check(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable) {
    const ms_adamw_settings *adamw = settings;
    (void)parameter, (void)variable;
    if (!(adamw->lr >= 0)) return MS_FAIL(MS_INVALID, "adamw: learning rate %g is negative", adamw->lr);
    if (!(adamw->matrix_lr >= 0))
        return MS_FAIL(MS_INVALID, "adamw: learning rate %g of matrices is negative", adamw->matrix_lr);
    if (!(adamw->beta1 >= 0 && adamw->beta1 < 1) || !(adamw->beta2 >= 0 && adamw->beta2 < 1) || !(adamw->epsilon > 0))
        return MS_FAIL(MS_INVALID, "adamw: betas %g and %g, epsilon %g: betas must be in [0, 1), epsilon positive",
                       (double)adamw->beta1, (double)adamw->beta2, (double)adamw->epsilon);
    return MS_OK;
}

static double decay_share(const void *settings, double rate) {
    return rate * ((const ms_adamw_settings *)settings)->matrix_decay;
}

static ms_tensor delta(ms_graph *graph, const ms_rule_inputs *inputs) {
    const ms_adamw_settings *settings = inputs->settings;
    ms_adamw_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.lr = ms_step_scalar(1, inputs->first_scalar + LR);
    attributes.beta1 = settings->beta1;
    attributes.beta2 = settings->beta2;
    attributes.epsilon = settings->epsilon;
    float decay = inputs->parameter->is_matrix ? settings->matrix_decay : 0;
    bool decays_apart = (inputs->cautious_decay || inputs->noise) && decay != 0;
    attributes.decay = decays_apart ? 0 : decay;
    attributes.inverse_bias1 = ms_step_scalar(1, inputs->first_scalar + INVERSE_BIAS1);
    attributes.inverse_bias2 = ms_step_scalar(1, inputs->first_scalar + INVERSE_BIAS2);
    const ms_tensor operands[5] = {inputs->states[MOMENTUM], inputs->states[SECOND_MOMENT], inputs->gradient,
                                   inputs->weight, inputs->clip};
    ms_tensor outputs[3];
    ms_adamw(graph, operands, &attributes, outputs);
    ms_assign(graph, outputs[0], inputs->states[MOMENTUM]);
    ms_assign(graph, outputs[1], inputs->states[SECOND_MOMENT]);
    ms_tensor update = ms_rule_with_noise(graph, inputs, false, outputs[2]);
    if (!decays_apart) return update;
    ms_tensor decayed = ms_rule_decayed_weight(graph, inputs, update);
    return ms_axpby(graph, ms_constant(1), update, ms_step_scalar(decay, inputs->first_scalar + LR), decayed);
}

const ms_optimizer_rule ms_adamw_rule = {
    .name = "adamw",
    .n_states = N_STATES,
    .states = {[MOMENTUM] = {"momentum", NULL}, [SECOND_MOMENT] = {"second_moment", NULL}},
    .n_scalars = N_SCALARS,
    .scalars = {[LR] = {"lr", NULL},
                [INVERSE_BIAS1] = {"inverse_bias1", inverse_bias1},
                [INVERSE_BIAS2] = {"inverse_bias2", inverse_bias2}},
    .heeds_interventions = true,
    .peak_rate = peak_rate,
    .check = check,
    .delta = delta,
    .decay_share = decay_share,
};
