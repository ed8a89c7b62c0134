#include "backend/ir/rewrite.h"

#include <stdlib.h>
#include <string.h>

static void mark_live(ms_rewrite *rewrite) {
    for (int i = ms_graph_n_nodes(rewrite->source) - 1; i >= 0; i--) {
        const ms_node *node = ms_graph_node(rewrite->source, i);
        bool live = node->op == MS_OP_ASSIGN;
        for (int k = 0; k < node->n_outputs; k++) live |= rewrite->live[node->outputs[k]];
        rewrite->live_nodes[i] = live;
        for (int k = 0; live && k < node->n_inputs; k++)
            if (node->inputs[k] != MS_NO_TENSOR) rewrite->live[node->inputs[k]] = true;
    }
}

ms_status ms_rewrite_init(ms_rewrite *rewrite, const ms_graph *source) {
    memset(rewrite, 0, sizeof *rewrite);
    MS_TRY(ms_graph_status(source));
    rewrite->source = source;
    size_t n = (size_t)ms_graph_n_tensors(source) + 1, n_nodes = (size_t)ms_graph_n_nodes(source) + 1;
    rewrite->map = malloc(n * sizeof *rewrite->map);
    rewrite->live = calloc(n, sizeof *rewrite->live);
    rewrite->live_nodes = calloc(n_nodes, sizeof *rewrite->live_nodes);
    if (!rewrite->map || !rewrite->live || !rewrite->live_nodes)
        return MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory to rewrite %zu nodes", n_nodes);
    for (size_t i = 0; i < n; i++) rewrite->map[i] = MS_NO_TENSOR;
    mark_live(rewrite);
    return ms_graph_create(ms_graph_variables(source), ms_graph_step_scalars(source), &rewrite->target);
}

ms_status ms_rewrite_finish(ms_rewrite *rewrite, ms_status status, ms_graph **out_target) {
    if (status == MS_OK) status = ms_graph_status(rewrite->target);
    if (status == MS_OK)
        *out_target = rewrite->target;
    else
        ms_graph_destroy(rewrite->target);
    free(rewrite->map);
    free(rewrite->live);
    free(rewrite->live_nodes);
    memset(rewrite, 0, sizeof *rewrite);
    return status;
}

ms_tensor ms_rewrite_map(ms_rewrite *rewrite, ms_tensor source) {
    if (source == MS_NO_TENSOR) return MS_NO_TENSOR;
    const ms_tensor_info *info = ms_graph_tensor(rewrite->source, source);
    if (info->producer < 0 && rewrite->map[source] == MS_NO_TENSOR)
        rewrite->map[source] = ms_view(rewrite->target, info->variable, info->offset, info->shape);
    return rewrite->map[source];
}

void ms_rewrite_copy(ms_rewrite *rewrite, const ms_node *node) {
    ms_tensor inputs[MS_MAX_INPUTS], outputs[MS_MAX_OUTPUTS];
    for (int i = 0; i < node->n_inputs; i++) inputs[i] = ms_rewrite_map(rewrite, node->inputs[i]);
    ms_graph_set_layer(rewrite->target, node->layer);
    ms_graph_set_recomputed(rewrite->target, node->recomputed != 0);
    ms_graph_add(rewrite->target, node->op, inputs, node->n_inputs, &node->attributes, outputs);
    for (int i = 0; i < node->n_outputs; i++) rewrite->map[node->outputs[i]] = outputs[i];
}
