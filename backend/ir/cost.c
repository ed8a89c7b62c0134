/* Arithmetic and memory traffic of nodes.  One add, multiply, division or elementary function counts as 1.  A free op
   costs nothing: the plan normally lets it share storage. */
#include "backend/ir/passes.h"

static double count(const ms_graph *graph, ms_tensor tensor) {
    return tensor == MS_NO_TENSOR ? 0 : (double)ms_shape_count(&ms_graph_tensor(graph, tensor)->shape);
}

static double tensor_bytes(const ms_graph *graph, ms_tensor tensor) {
    if (tensor == MS_NO_TENSOR) return 0;
    return count(graph, tensor) * (double)ms_dtype_size(ms_graph_tensor(graph, tensor)->dtype);
}

/* Every input read and every output written once. */
static double all_bytes(const ms_graph *graph, const ms_node *node) {
    double bytes = 0;
    for (int i = 0; i < node->n_inputs; i++) bytes += tensor_bytes(graph, node->inputs[i]);
    for (int i = 0; i < node->n_outputs; i++) bytes += tensor_bytes(graph, node->outputs[i]);
    return bytes;
}

/* Arithmetic per element of an elementwise op or a norm, by its formula in ops.def; 0 for the ops counted elsewhere. */
static double flops_per_element(const ms_node *node) {
    switch (node->op) {
    case MS_OP_AXPBY:
        return node->n_inputs == 2 && node->inputs[1] != MS_NO_TENSOR ? 3 : 1;
    case MS_OP_MUL:
    case MS_OP_EMBED:
    case MS_OP_SUM:
    case MS_OP_SCALE_BY_INVERSE_NORM:
        return 1;
    case MS_OP_RELU2:
    case MS_OP_EMBED_GRAD:
    case MS_OP_SUM_SQUARES:
        return 2;
    case MS_OP_RELU2_GRAD:
        return 3;
    case MS_OP_SWIGLU:
    case MS_OP_RMS_NORM:
        return 4;
    case MS_OP_ADD_RMS_NORM:
        return 5;
    case MS_OP_CROSS_ENTROPY:
        return 6;
    case MS_OP_QK_NORM_ROPE:
        return node->attributes.rope.normalise ? 7 : 3;
    case MS_OP_EMA_NESTEROV:
        return 7;
    case MS_OP_SWIGLU_GRAD:
    case MS_OP_RMS_NORM_GRAD:
        return 10;
    case MS_OP_QK_NORM_ROPE_GRAD:
        return node->attributes.rope.normalise ? 13 : 3;
    case MS_OP_ADAMW:
        return 15;
    case MS_OP_RANDOM_NORMAL:
        return 40; /* ten Philox rounds give four numbers, and the normal transform */
    default:
        return 0;
    }
}

/* The tensor whose elements flops_per_element counts. */
static ms_tensor counted_tensor(const ms_node *node) {
    switch (node->op) {
    case MS_OP_EMBED_GRAD:
        return node->inputs[1];
    case MS_OP_EMBED:
    case MS_OP_RANDOM_NORMAL:
        return node->outputs[0];
    default:
        return node->n_inputs > 0 ? node->inputs[0] : MS_NO_TENSOR;
    }
}

/* m n k products of a matmul, or n (n + 1) / 2 k of a gram matrix, whose other half is the same. */
static double contraction_products(const ms_graph *graph, const ms_node *node) {
    ms_matrix_shape a = ms_shape_matrix(&ms_graph_tensor(graph, node->inputs[0])->shape);
    if (node->op == MS_OP_GRAM) {
        double side = (double)(node->attributes.gram.transpose ? a.columns : a.rows);
        double depth = (double)(node->attributes.gram.transpose ? a.rows : a.columns);
        return (double)a.batch * side * (side + 1) / 2 * depth;
    }
    return count(graph, node->outputs[0]) * (double)(node->attributes.matmul.transpose_a ? a.rows : a.columns);
}

/* Visible pairs of query and key over all sequences and heads. */
static double attention_pairs(const ms_attention_attributes *attention) {
    double t = attention->sequence;
    return (double)attention->batch * attention->heads * t * (t + 1) / 2;
}

static void add_contraction(const ms_graph *graph, const ms_node *node, ms_cost *cost) {
    const ms_attention_attributes *attention = &node->attributes.attention;
    double other = 0;
    switch (node->op) {
    case MS_OP_MATMUL:
        cost->contraction_flops = 2 * contraction_products(graph, node);
        if (node->n_inputs == 3 && node->inputs[2] != MS_NO_TENSOR) other = 2 * count(graph, node->outputs[0]);
        break;
    case MS_OP_GRAM:
        cost->contraction_flops = 2 * contraction_products(graph, node);
        break;
    case MS_OP_ATTENTION: /* q k^T and p v; scale, maximum, difference, exp, sum */
        cost->contraction_flops = 4 * attention_pairs(attention) * attention->head_size;
        other = 5 * attention_pairs(attention);
        break;
    case MS_OP_ATTENTION_GRAD: /* q k^T again, do v^T, and dq, dk, dv; scale, difference, exp, difference, product,
                                  scale */
        cost->contraction_flops = 10 * attention_pairs(attention) * attention->head_size;
        other = 6 * attention_pairs(attention) + 2 * count(graph, node->inputs[0]);
        break;
    case MS_OP_TIED_CROSS_ENTROPY: { /* logits, dh and dE, as if all were wanted; 6 per logit as in cross_entropy */
        double width = (double)ms_graph_tensor(graph, node->inputs[0])->shape.dim[1];
        double logits = count(graph, node->inputs[0]) / width * count(graph, node->inputs[1]) / width;
        cost->contraction_flops = 6 * logits * width;
        other = 6 * logits;
        break;
    }
    default:
        break;
    }
    cost->flops += cost->contraction_flops + other;
}

/* Ops that touch a part of a tensor only. */
static double node_bytes(const ms_graph *graph, const ms_node *node) {
    switch (node->op) {
    case MS_OP_STORE:
    case MS_OP_RESHAPE:
        return 0;
    case MS_OP_SLICE:
        return 2 * tensor_bytes(graph, node->outputs[0]);
    case MS_OP_INSERT: /* in place */
        return 2 * tensor_bytes(graph, node->inputs[1]);
    case MS_OP_EMBED:
        return tensor_bytes(graph, node->inputs[1]) + 2 * tensor_bytes(graph, node->outputs[0]);
    default:
        return all_bytes(graph, node);
    }
}

ms_cost ms_node_cost(const ms_graph *graph, const ms_node *node) {
    ms_cost cost = {0, 0, 0};
    cost.flops = flops_per_element(node) * count(graph, counted_tensor(node));
    add_contraction(graph, node, &cost);
    cost.bytes = node_bytes(graph, node);
    return cost;
}

ms_cost ms_graph_cost(const ms_graph *graph) {
    ms_cost total = {0, 0, 0};
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        ms_cost cost = ms_node_cost(graph, ms_graph_node(graph, i));
        total.flops += cost.flops;
        total.contraction_flops += cost.contraction_flops;
        total.bytes += cost.bytes;
    }
    return total;
}
