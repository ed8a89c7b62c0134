/* Gradient rules of elementwise ops and reductions. */
#include <stdio.h>

#include "backend/ir/gradient_pass.h"

ms_status ms_gradient_axpby(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    if (ms_gradient_wants(pass, node, 0)) ms_gradient_add_scaled(pass, node->inputs[0], node->attributes.axpby.a, dy);
    if (ms_gradient_wants(pass, node, 1)) ms_gradient_add_scaled(pass, node->inputs[1], node->attributes.axpby.b, dy);
    return MS_OK;
}

/* dx0 = dy * x1; dx1 = dy * x0, summed when x1 is a scalar that x0 is not. */
ms_status ms_gradient_mul(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    if (ms_gradient_wants(pass, node, 0))
        ms_gradient_add(pass, node->inputs[0], ms_mul(pass->graph, dy, ms_gradient_value(pass, node->inputs[1])));
    if (ms_gradient_wants(pass, node, 1)) {
        ms_tensor dx1 = ms_mul(pass->graph, dy, ms_gradient_value(pass, node->inputs[0]));
        ms_shape shape = ms_gradient_shape(pass, node->inputs[1]), dy_shape = ms_gradient_shape(pass, dy);
        if (!ms_shape_equal(&shape, &dy_shape)) {
            dx1 = ms_sum(pass->graph, dx1);
            if (shape.rank != 1) dx1 = ms_reshape(pass->graph, dx1, shape);
        }
        ms_dtype dtype = ms_gradient_dtype(pass, node->inputs[1]);
        if (ms_gradient_dtype(pass, dx1) != dtype) dx1 = ms_cast(pass->graph, dx1, dtype);
        ms_gradient_add(pass, node->inputs[1], dx1);
    }
    return MS_OK;
}

ms_status ms_gradient_elementwise(ms_gradient_pass *pass, const ms_node *node) {
    char name[64];
    snprintf(name, sizeof name, "%s_grad", ms_op_get(node->op)->name);
    ms_op op = ms_op_find(name);
    if (op == MS_OP_COUNT) return MS_FAIL(MS_INTERNAL, "gradients: ops.def has no %s", name);
    ms_tensor inputs[MS_MAX_INPUTS], gradients[MS_MAX_OUTPUTS];
    for (int i = 0; i < node->n_inputs; i++) inputs[i] = ms_gradient_value(pass, node->inputs[i]);
    inputs[node->n_inputs] = ms_gradient_arrived(pass, node->outputs[0]);
    MS_TRY(ms_graph_add(pass->graph, op, inputs, node->n_inputs + 1, NULL, gradients));
    for (int i = 0; i < node->n_inputs; i++) ms_gradient_add(pass, node->inputs[i], gradients[i]);
    return MS_OK;
}

/* dx = dy everywhere */
ms_status ms_gradient_sum(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    ms_shape shape = ms_gradient_shape(pass, node->inputs[0]);
    ms_dtype dtype = ms_gradient_dtype(pass, node->inputs[0]);
    float value;
    ms_tensor dx;
    if (ms_gradient_is_fill(pass, dy, &value))
        dx = ms_fill(pass->graph, value, dtype, shape);
    else
        dx = ms_mul(pass->graph, ms_fill(pass->graph, 1, dtype, shape), dy);
    ms_gradient_add(pass, node->inputs[0], dx);
    return MS_OK;
}

/* dx = 2 x dy */
ms_status ms_gradient_sum_squares(ms_gradient_pass *pass, const ms_node *node) {
    if (node->attributes.sum_squares.n_groups != 0)
        return MS_FAIL(MS_UNSUPPORTED, "gradient of sum_squares: only of the whole tensor, not of %d row groups",
                       node->attributes.sum_squares.n_groups);
    ms_tensor x = ms_gradient_value(pass, node->inputs[0]);
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    float value;
    if (ms_gradient_is_fill(pass, dy, &value)) {
        ms_gradient_add_scaled(pass, node->inputs[0], ms_constant(2 * value), x);
        return MS_OK;
    }
    ms_gradient_add_scaled(pass, node->inputs[0], ms_constant(2), ms_mul(pass->graph, x, dy));
    return MS_OK;
}
