/* Gradient rules of the ops that move data: reshape, slice, insert, cast, embed. */
#include "backend/ir/gradient_pass.h"

ms_status ms_gradient_reshape(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    ms_gradient_add(pass, node->inputs[0], ms_reshape(pass->graph, dy, ms_gradient_shape(pass, node->inputs[0])));
    return MS_OK;
}

/* dx is 0 but in the rows that were taken; where a gradient has arrived already, only those rows are touched. */
ms_status ms_gradient_slice(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]), x = node->inputs[0];
    ms_tensor arrived = ms_gradient_arrived(pass, x);
    int64_t begin = node->attributes.slice.begin, count = node->attributes.slice.count;
    if (arrived == MS_NO_TENSOR) {
        ms_tensor_info info = *ms_graph_tensor(pass->graph, dy);
        arrived = ms_fill(pass->graph, 0, info.dtype, ms_gradient_shape(pass, x));
    } else {
        dy = ms_add(pass->graph, ms_slice(pass->graph, arrived, begin, count), dy);
    }
    ms_gradient_replace(pass, x, ms_insert(pass->graph, arrived, dy, begin));
    return MS_OK;
}

ms_status ms_gradient_insert(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    int64_t begin = node->attributes.slice.begin, count = node->attributes.slice.count;
    if (ms_gradient_wants(pass, node, 1))
        ms_gradient_add(pass, node->inputs[1], ms_slice(pass->graph, dy, begin, count));
    if (ms_gradient_wants(pass, node, 0)) {
        ms_tensor_info info = *ms_graph_tensor(pass->graph, node->inputs[1]);
        ms_tensor zero = ms_fill(pass->graph, 0, info.dtype, info.shape);
        ms_gradient_add(pass, node->inputs[0], ms_insert(pass->graph, dy, zero, begin));
    }
    return MS_OK;
}

ms_status ms_gradient_cast(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    ms_dtype dtype = ms_graph_tensor(pass->graph, node->inputs[0])->dtype;
    ms_gradient_add(pass, node->inputs[0], ms_cast(pass->graph, dy, dtype));
    return MS_OK;
}

/* The bf16 tensor that dy is an f32 copy of, or dy: widening is exact, and embed_grad takes either. */
static ms_tensor without_widening(const ms_gradient_pass *pass, ms_tensor dy) {
    int producer = ms_graph_tensor(pass->graph, dy)->producer;
    const ms_node *node = producer < 0 ? NULL : ms_graph_node(pass->graph, producer);
    return node && node->op == MS_OP_CAST ? node->inputs[0] : dy;
}

ms_status ms_gradient_embed(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor table = node->inputs[0], index = ms_gradient_value(pass, node->inputs[1]);
    ms_tensor dy = without_widening(pass, ms_gradient_arrived(pass, node->outputs[0]));
    int64_t rows = ms_gradient_shape(pass, table).dim[0];
    ms_gradient_replace(
        pass, table,
        ms_embed_grad(pass->graph, index, dy, ms_gradient_arrived(pass, table), rows, node->attributes.embed.scale));
    return MS_OK;
}
