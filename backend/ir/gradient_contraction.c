/* Gradient rules of matmul and gram. */
#include "backend/ir/gradient_pass.h"

/* A factor of a matmul: the forward tensor's value and how the matmul reads it. */
typedef struct factor {
    ms_tensor value;
    bool transpose;
} factor;

static void accumulate_matmul(ms_gradient_pass *pass, ms_tensor forward, factor a, factor b, float alpha) {
    ms_matmul_attributes attributes = {a.transpose, b.transpose, alpha, 1, ms_gradient_dtype(pass, forward)};
    ms_gradient_replace(pass, forward,
                        ms_matmul(pass->graph, a.value, b.value, ms_gradient_arrived(pass, forward), &attributes));
}

/* Matrix i of a stack [batch,R,C] as [R,C]; a single matrix serves every i. */
static ms_tensor matrix_of_stack(ms_gradient_pass *pass, ms_tensor stack, int64_t i) {
    ms_shape shape = ms_gradient_shape(pass, stack);
    if (shape.rank == 2) return stack;
    ms_tensor flat = ms_reshape(pass->graph, stack, ms_shape_2(shape.dim[0], shape.dim[1] * shape.dim[2]));
    return ms_reshape(pass->graph, ms_slice(pass->graph, flat, i, 1), ms_shape_2(shape.dim[1], shape.dim[2]));
}

/* gradient of forward += alpha a b.  When forward is one matrix shared by a stack of matmuls, their sum, in order. */
static void add_matmul(ms_gradient_pass *pass, ms_tensor forward, factor a, factor b, float alpha) {
    ms_shape shape = ms_gradient_shape(pass, forward), shape_a = ms_gradient_shape(pass, a.value);
    ms_shape shape_b = ms_gradient_shape(pass, b.value);
    if (shape.rank == 3 || (shape_a.rank == 2 && shape_b.rank == 2)) {
        accumulate_matmul(pass, forward, a, b, alpha);
        return;
    }
    int64_t batch = shape_a.rank == 3 ? shape_a.dim[0] : shape_b.dim[0];
    for (int64_t i = 0; i < batch; i++) {
        factor a_i = {matrix_of_stack(pass, a.value, i), a.transpose};
        factor b_i = {matrix_of_stack(pass, b.value, i), b.transpose};
        accumulate_matmul(pass, forward, a_i, b_i, alpha);
    }
}

/* With P = op(a), Q = op(b), y = alpha P Q + beta c: dP = alpha dy Q^T, dQ = alpha P^T dy, dc = beta dy; a transposed
   operand takes the transposed matmul. */
ms_status ms_gradient_matmul(ms_gradient_pass *pass, const ms_node *node) {
    ms_matmul_attributes matmul = node->attributes.matmul;
    ms_tensor a = node->inputs[0], b = node->inputs[1];
    factor dy = {ms_gradient_arrived(pass, node->outputs[0]), false};
    factor dy_transposed = {dy.value, true};
    if (ms_gradient_wants(pass, node, 0)) {
        ms_tensor value = ms_gradient_value(pass, b);
        factor q = {value, matmul.transpose_b}, q_transposed = {value, !matmul.transpose_b};
        if (matmul.transpose_a)
            add_matmul(pass, a, q, dy_transposed, matmul.alpha);
        else
            add_matmul(pass, a, dy, q_transposed, matmul.alpha);
    }
    if (ms_gradient_wants(pass, node, 1)) {
        ms_tensor value = ms_gradient_value(pass, a);
        factor p = {value, matmul.transpose_a}, p_transposed = {value, !matmul.transpose_a};
        if (matmul.transpose_b)
            add_matmul(pass, b, dy_transposed, p, matmul.alpha);
        else
            add_matmul(pass, b, p_transposed, dy, matmul.alpha);
    }
    if (ms_gradient_wants(pass, node, 2))
        ms_gradient_add_scaled(pass, node->inputs[2], ms_constant(matmul.beta), dy.value);
    return MS_OK;
}

/* y = x x^T: dx = (dy + dy^T) x; y = x^T x: dx = x (dy + dy^T).  In two accumulating matmuls. */
ms_status ms_gradient_gram(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]), x = ms_gradient_value(pass, node->inputs[0]);
    for (int i = 0; i < 2; i++) {
        factor d = {dy, i == 1}, value = {x, false};
        if (node->attributes.gram.transpose)
            accumulate_matmul(pass, node->inputs[0], value, d, 1);
        else
            accumulate_matmul(pass, node->inputs[0], d, value, 1);
    }
    return MS_OK;
}
