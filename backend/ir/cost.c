/* Arithmetic and memory traffic of nodes: the rules that ops.def names.  One add, multiply, division or elementary
   function counts as 1. */
#include "backend/ir/passes.h"
#include "backend/ir/gemm.h"

/* The cost of a node; flops: the number in its op's row of ops.def.  A rule without a definition does not link. */
typedef ms_cost (*cost_rule)(const ms_graph *graph, const ms_node *node, double flops);
#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, gradient, cost, ...)                                 \
    ms_cost ms_cost_##cost(const ms_graph *graph, const ms_node *node, double flops);
#include "backend/ir/ops.def"
#undef OP

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

static bool has_input(const ms_node *node, int i) { return node->n_inputs > i && node->inputs[i] != MS_NO_TENSOR; }

/* ---- elementwise ops, norms, reductions ---- */

/* `flops` for each element of input 0 */
ms_cost ms_cost_elements(const ms_graph *graph, const ms_node *node, double flops) {
    double elements = node->n_inputs > 0 ? count(graph, node->inputs[0]) : 0;
    return (ms_cost){flops * elements, 0, all_bytes(graph, node)};
}

/* `flops` for each element of output 0 */
ms_cost ms_cost_results(const ms_graph *graph, const ms_node *node, double flops) {
    return (ms_cost){flops * count(graph, node->outputs[0]), 0, all_bytes(graph, node)};
}

/* a * x0 alone takes one operation */
ms_cost ms_cost_axpby(const ms_graph *graph, const ms_node *node, double flops) {
    return ms_cost_elements(graph, node, has_input(node, 1) ? flops : 1);
}

/* `flops` with the norm; the rotation alone takes three, and its gradient has nothing to do with x, rstd and dgain */
ms_cost ms_cost_qk_norm_rope(const ms_graph *graph, const ms_node *node, double flops) {
    if (node->attributes.rope.normalise) return ms_cost_elements(graph, node, flops);
    ms_cost cost = ms_cost_elements(graph, node, 3);
    if (node->op == MS_OP_QK_NORM_ROPE_GRAD)
        cost.bytes = tensor_bytes(graph, node->inputs[1]) + tensor_bytes(graph, node->inputs[3]) +
                     tensor_bytes(graph, node->outputs[0]);
    return cost;
}

/* ---- movement ---- */

/* The plan normally lets the op share storage. */
ms_cost ms_cost_free(const ms_graph *graph, const ms_node *node, double flops) {
    return (void)graph, (void)node, (ms_cost){flops, 0, 0};
}

/* A part is read and written. */
ms_cost ms_cost_slice(const ms_graph *graph, const ms_node *node, double flops) {
    return (ms_cost){flops, 0, 2 * tensor_bytes(graph, node->outputs[0])};
}

/* In place: only what replaces the rows counts. */
ms_cost ms_cost_insert(const ms_graph *graph, const ms_node *node, double flops) {
    return (ms_cost){flops, 0, 2 * tensor_bytes(graph, node->inputs[1])};
}

ms_cost ms_cost_insert_rows(const ms_graph *graph, const ms_node *node, double flops) {
    return (ms_cost){flops, 0, 2 * tensor_bytes(graph, node->inputs[1]) + tensor_bytes(graph, node->inputs[2])};
}

/* As many rows of the table as of the result are read. */
ms_cost ms_cost_embed(const ms_graph *graph, const ms_node *node, double flops) {
    double bytes = tensor_bytes(graph, node->inputs[1]) + 2 * tensor_bytes(graph, node->outputs[0]);
    return (ms_cost){flops * count(graph, node->outputs[0]), 0, bytes};
}

/* `flops` for each element of dy */
ms_cost ms_cost_embed_grad(const ms_graph *graph, const ms_node *node, double flops) {
    return (ms_cost){flops * count(graph, node->inputs[1]), 0, all_bytes(graph, node)};
}

/* ---- contractions ---- */

static ms_cost contraction(const ms_graph *graph, const ms_node *node, double contraction_flops, double other_flops) {
    return (ms_cost){contraction_flops + other_flops, contraction_flops, all_bytes(graph, node)};
}

static ms_gemm gemm_of(const ms_graph *graph, const ms_node *node) {
    const ms_shape *left = &ms_graph_tensor(graph, node->inputs[0])->shape;
    const ms_shape *right = node->op == MS_OP_GRAM ? left : &ms_graph_tensor(graph, node->inputs[1])->shape;
    return ms_gemm_of(node->op, &node->attributes, left, right);
}

/* A multiply-add counts as 2; so does beta c. */
ms_cost ms_cost_matmul(const ms_graph *graph, const ms_node *node, double flops) {
    ms_gemm gemm = gemm_of(graph, node);
    double results = count(graph, node->outputs[0]);
    return contraction(graph, node, 2 * results * (double)gemm.left.depth,
                       flops + (has_input(node, 2) ? 2 * results : 0));
}

/* n (n + 1) / 2 numbers: the other half is the same. */
ms_cost ms_cost_gram(const ms_graph *graph, const ms_node *node, double flops) {
    ms_gemm gemm = gemm_of(graph, node);
    double side = (double)gemm.left.n_rows, results = (double)gemm.batch * side * (side + 1) / 2;
    return contraction(graph, node, 2 * (results * (double)gemm.left.depth), flops);
}

/* Visible pairs of query and key over all sequences and heads. */
static double attention_pairs(const ms_attention_attributes *attention) {
    double t = attention->sequence;
    return (double)attention->batch * attention->heads * t * (t + 1) / 2;
}

/* q k^T and p v; `flops` a pair: scale, maximum, difference, exp, sum */
ms_cost ms_cost_attention(const ms_graph *graph, const ms_node *node, double flops) {
    double pairs = attention_pairs(&node->attributes.attention);
    return contraction(graph, node, 4 * pairs * node->attributes.attention.head_size, flops * pairs);
}

/* q k^T; `flops` a pair: scale, maximum */
ms_cost ms_cost_attention_logit_max(const ms_graph *graph, const ms_node *node, double flops) {
    double pairs = attention_pairs(&node->attributes.attention);
    return contraction(graph, node, 2 * pairs * node->attributes.attention.head_size, flops * pairs);
}

/* As if every query saw a whole cache: where they stand is data.  q k^T and p v; `flops` a pair, as in attention. */
ms_cost ms_cost_cached_attention(const ms_graph *graph, const ms_node *node, double flops) {
    const ms_attention_attributes *attention = &node->attributes.attention;
    double queries = count(graph, node->inputs[3]), pairs = queries * attention->heads * attention->sequence;
    double row_bytes = tensor_bytes(graph, node->inputs[1]) / ((double)attention->batch * attention->sequence);
    ms_cost cost = contraction(graph, node, 4 * pairs * attention->head_size, flops * pairs);
    cost.bytes = 2 * tensor_bytes(graph, node->inputs[0]) + 2 * queries * attention->sequence * row_bytes;
    return cost;
}

/* q k^T again, do v^T, and dq, dk, dv; `flops` a pair: scale, difference, exp, difference, product, scale; and the
   product of o and do */
ms_cost ms_cost_attention_grad(const ms_graph *graph, const ms_node *node, double flops) {
    double pairs = attention_pairs(&node->attributes.attention);
    return contraction(graph, node, 10 * pairs * node->attributes.attention.head_size,
                       flops * pairs + 2 * count(graph, node->inputs[0]));
}

/* Logits, dh and dE, as if all were wanted; `flops` a logit, as in cross_entropy. */
ms_cost ms_cost_tied_cross_entropy(const ms_graph *graph, const ms_node *node, double flops) {
    double width = (double)ms_graph_tensor(graph, node->inputs[0])->shape.dim[1];
    double logits = count(graph, node->inputs[0]) / width * count(graph, node->inputs[1]) / width;
    return contraction(graph, node, 6 * logits * width, flops * logits);
}

ms_cost ms_node_cost(const ms_graph *graph, const ms_node *node) {
    static const struct {
        cost_rule rule;
        double flops;
    } costs[MS_OP_COUNT] = {
#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, gradient, cost, flops, ...) {ms_cost_##cost, flops},
#include "backend/ir/ops.def"
#undef OP
    };
    return costs[node->op].rule(graph, node, costs[node->op].flops);
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
