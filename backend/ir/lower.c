/* Lowering of composite ops. */
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "backend/ir/rewrite.h"

/* What the chunks of one tied_cross_entropy add up to; MS_NO_TENSOR before the first chunk. */
typedef struct loss_parts {
    ms_tensor losses; /* [N] */
    ms_tensor dh;     /* [N,C] */
    ms_tensor de;     /* [V,C] */
} loss_parts;

/* whole with rows from begin replaced by part; the first part of several starts from zeros, a single part is the
   whole. */
static ms_tensor put_rows(ms_graph *graph, ms_tensor whole, ms_tensor part, int64_t begin, ms_shape shape) {
    if (part == MS_NO_TENSOR) return MS_NO_TENSOR;
    ms_shape part_shape = ms_graph_tensor(graph, part)->shape;
    if (ms_shape_equal(&part_shape, &shape)) return part;
    if (whole == MS_NO_TENSOR) whole = ms_fill(graph, 0, ms_graph_tensor(graph, part)->dtype, shape);
    return ms_insert(graph, whole, part, begin);
}

/* logits = h E^T; dh = dlogits E; dE += dlogits^T h, for the tokens [begin, begin + count).  Logits and dE are f32, dh
   has h's dtype, dlogits have their own: beside h and E in bf16, bf16 dlogits spare their matmuls a copy of either. */
static void lower_chunk(ms_rewrite *rewrite, const ms_node *node, int64_t begin, int64_t count, loss_parts *parts) {
    ms_graph *graph = rewrite->target;
    ms_tensor h = ms_rewrite_map(rewrite, node->inputs[0]), e = ms_rewrite_map(rewrite, node->inputs[1]);
    ms_tensor targets = ms_rewrite_map(rewrite, node->inputs[2]);
    ms_tensor_info info = *ms_graph_tensor(rewrite->source, node->inputs[0]);
    ms_shape shape = info.shape;
    int64_t n = shape.dim[0];
    if (count < n) {
        h = ms_slice(graph, h, begin, count);
        targets = ms_slice(graph, targets, begin, count);
    }
    ms_tensor losses, dlogits;
    ms_tensor logits = ms_matmul(graph, h, e, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    const ms_tied_cross_entropy_attributes *loss = &node->attributes.tied_cross_entropy;
    ms_cross_entropy(graph, logits, targets, &(ms_cross_entropy_attributes){loss->scale, loss->dtype}, &losses,
                     &dlogits);
    if (rewrite->live[node->outputs[0]] || rewrite->live[node->outputs[3]])
        parts->losses = put_rows(graph, parts->losses, losses, begin, ms_shape_1(n));
    if (rewrite->live[node->outputs[1]]) {
        ms_matmul_attributes attributes = {false, false, 1, 0, info.dtype};
        ms_tensor dh = ms_matmul(graph, dlogits, e, MS_NO_TENSOR, &attributes);
        parts->dh = put_rows(graph, parts->dh, dh, begin, shape);
    }
    if (rewrite->live[node->outputs[2]])
        parts->de = ms_matmul(graph, dlogits, h, parts->de, &(ms_matmul_attributes){true, false, 1, 1, MS_DTYPE_F32});
}

static void lower_tied_cross_entropy(ms_rewrite *rewrite, const ms_node *node) {
    ms_graph *graph = rewrite->target;
    const ms_tied_cross_entropy_attributes *attributes = &node->attributes.tied_cross_entropy;
    int64_t n = ms_graph_tensor(rewrite->source, node->inputs[0])->shape.dim[0];
    loss_parts parts = {MS_NO_TENSOR, MS_NO_TENSOR, MS_NO_TENSOR};
    ms_graph_set_layer(graph, node->layer);
    ms_graph_set_recomputed(graph, node->recomputed != 0);
    for (int64_t begin = 0; begin < n && ms_graph_status(graph) == MS_OK; begin += attributes->chunk) {
        int64_t count = n - begin < attributes->chunk ? n - begin : attributes->chunk;
        lower_chunk(rewrite, node, begin, count, &parts);
    }
    if (rewrite->live[node->outputs[0]])
        rewrite->map[node->outputs[0]] =
            ms_axpby(graph, ms_constant(attributes->scale), ms_sum(graph, parts.losses), ms_constant(0), MS_NO_TENSOR);
    rewrite->map[node->outputs[1]] = parts.dh;
    rewrite->map[node->outputs[2]] = parts.de;
    rewrite->map[node->outputs[3]] = parts.losses;
}

ms_status ms_graph_lower(const ms_graph *graph, ms_graph **out) {
    *out = NULL;
    ms_rewrite rewrite;
    ms_status status = ms_rewrite_init(&rewrite, graph);
    for (int i = 0; status == MS_OK && i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        if (!rewrite.live_nodes[i]) continue;
        if (node->op == MS_OP_TIED_CROSS_ENTROPY)
            lower_tied_cross_entropy(&rewrite, node);
        else
            ms_rewrite_copy(&rewrite, node);
        status = ms_graph_status(rewrite.target);
    }
    return ms_rewrite_finish(&rewrite, status, out);
}
