#include "optim/rule.h"

#include "backend/ir/build.h"

ms_tensor ms_rule_decayed_weight(ms_graph *graph, const ms_rule_inputs *inputs, ms_tensor update) {
    return inputs->cautious_decay ? ms_same_sign(graph, update, inputs->weight) : inputs->weight;
}
