/* No rounding to bf16 between a matmul and its use in f32.  Meant for gradients of weights, which no layer repeats.  A
   forward matmul that is used in bf16 and cast to f32 as well may be rounded in one and kept in the other of a layer
   and its repeat; a builder that wants f32 there should ask for it. */
#include <stdlib.h>

#include "backend/ir/build.h"
#include "backend/ir/rewrite.h"

typedef struct keeper {
    ms_rewrite rewrite;
    bool *kept;        /* [tensors of source] bf16 results of matmuls that stay f32 */
    bool *used_in_f32; /* [tensors of source] a live node casts it to f32 or accumulates it in a kept matmul */
    bool *used;        /* [tensors of source] a live node uses it otherwise */
} keeper;

static bool is_matmul_in_bf16(const ms_node *node) {
    return node->op == MS_OP_MATMUL && node->attributes.matmul.dtype == MS_DTYPE_BF16;
}

static bool is_cast_to_f32(const ms_node *node) {
    return node->op == MS_OP_CAST && node->attributes.cast.dtype == MS_DTYPE_F32;
}

/* Backwards, so that all uses of a result are known before its matmul. */
static void find_kept(keeper *k) {
    const ms_graph *graph = k->rewrite.source;
    for (int i = ms_graph_n_nodes(graph) - 1; i >= 0; i--) {
        const ms_node *node = ms_graph_node(graph, i);
        if (!k->rewrite.live_nodes[i]) continue;
        bool keeps = false;
        if (is_matmul_in_bf16(node)) {
            ms_tensor y = node->outputs[0];
            keeps = k->kept[y] = k->used_in_f32[y] && !k->used[y];
        }
        for (int slot = 0; slot < node->n_inputs; slot++) {
            if (node->inputs[slot] == MS_NO_TENSOR) continue;
            bool in_f32 = is_cast_to_f32(node) || (keeps && slot == 2);
            (in_f32 ? k->used_in_f32 : k->used)[node->inputs[slot]] = true;
        }
    }
}

/* The matmul in f32; what it accumulates is widened unless it was kept too. */
static void add_matmul(keeper *k, const ms_node *node) {
    ms_graph *graph = k->rewrite.target;
    ms_tensor in[3] = {MS_NO_TENSOR, MS_NO_TENSOR, MS_NO_TENSOR};
    for (int i = 0; i < node->n_inputs; i++) in[i] = ms_rewrite_map(&k->rewrite, node->inputs[i]);
    ms_graph_set_layer(graph, node->layer);
    ms_graph_set_recomputed(graph, node->recomputed != 0);
    if (in[2] != MS_NO_TENSOR && !k->kept[node->inputs[2]]) in[2] = ms_cast(graph, in[2], MS_DTYPE_F32);
    ms_matmul_attributes attributes = node->attributes.matmul;
    attributes.dtype = MS_DTYPE_F32;
    k->rewrite.map[node->outputs[0]] = ms_matmul(graph, in[0], in[1], in[2], &attributes);
}

static void add_node(keeper *k, const ms_node *node) {
    if (is_matmul_in_bf16(node) && k->kept[node->outputs[0]])
        add_matmul(k, node);
    else if (is_cast_to_f32(node) && k->kept[node->inputs[0]])
        k->rewrite.map[node->outputs[0]] = ms_rewrite_map(&k->rewrite, node->inputs[0]);
    else
        ms_rewrite_copy(&k->rewrite, node);
}

ms_status ms_graph_keep_f32(const ms_graph *graph, ms_graph **out) {
    *out = NULL;
    keeper k = {.kept = NULL};
    ms_status status = ms_rewrite_init(&k.rewrite, graph);
    size_t n = (size_t)ms_graph_n_tensors(graph) + 1;
    k.kept = calloc(n, sizeof *k.kept);
    k.used_in_f32 = calloc(n, sizeof *k.used_in_f32);
    k.used = calloc(n, sizeof *k.used);
    if (status == MS_OK && (!k.kept || !k.used_in_f32 || !k.used))
        status = MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory to rewrite %zu tensors", n);
    if (status == MS_OK) find_kept(&k);
    for (int i = 0; status == MS_OK && i < ms_graph_n_nodes(graph); i++)
        if (k.rewrite.live_nodes[i]) add_node(&k, ms_graph_node(graph, i));
    free(k.kept);
    free(k.used_in_f32);
    free(k.used);
    return ms_rewrite_finish(&k.rewrite, status, out);
}
