#include "optim/rule_interventions.h"

#include "backend/ir/build.h"
#include "optim/noise.h"

ms_tensor ms_rule_decayed_weight(ms_graph *graph, const ms_rule_inputs *inputs, ms_tensor update) {
    return inputs->cautious_decay ? ms_same_sign(graph, update, inputs->weight) : inputs->weight;
}

ms_tensor ms_rule_with_noise(ms_graph *graph, const ms_rule_inputs *inputs, bool is_before, ms_tensor x) {
    if (!inputs->noise || inputs->noise->is_before != is_before) return x;
    return ms_noise_add(graph, inputs->noise, inputs->parameter, x);
}
