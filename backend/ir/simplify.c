/* Common-subexpression and dead-node removal, after keep_f32.c. */
#include <stdlib.h>
#include <string.h>

#include "backend/ir/parts.h"
#include "backend/ir/attributes.h"
#include "backend/ir/passes.h"
#include "backend/ir/rewrite.h"
#include "platform/hash.h"

/* A node that was kept, by what it computes; inputs are the target's. */
typedef struct entry {
    int32_t node;                    /* of the source; -1: empty slot */
    ms_tensor inputs[MS_MAX_INPUTS]; /* of the target */
    int32_t versions[MS_MAX_INPUTS]; /* of the variables' content behind view inputs */
    int32_t step_version;            /* of the step scalars' content */
    uint64_t hash;
} entry;

typedef struct merger {
    ms_rewrite rewrite;
    int32_t *versions;    /* [tensors of source] for views: how many assignments have touched the part */
    int32_t step_version; /* assignments to the step scalars so far */
    ms_parts views;       /* of source, by tensor */
    entry *table;         /* open addressing */
    size_t n_slots;       /* a power of two, at least twice the nodes */
} merger;

static void count_assignment(merger *m, const ms_node *node) {
    const ms_graph *graph = m->rewrite.source;
    const ms_tensor_info *target = ms_graph_tensor(graph, node->inputs[1]);
    int32_t view;
    for (size_t at = ms_parts_begin(&m->views, target); ms_parts_next(&m->views, target, &at, &view);)
        m->versions[view]++;
    if (target->variable == ms_graph_step_scalars(graph)) m->step_version++;
}

static entry make_entry(merger *m, int32_t i_node, const ms_node *node) {
    entry e;
    memset(&e, 0, sizeof e);
    e.node = i_node;
    e.step_version = m->step_version;
    for (int i = 0; i < MS_MAX_INPUTS; i++) {
        ms_tensor input = i < node->n_inputs ? node->inputs[i] : MS_NO_TENSOR;
        e.inputs[i] = ms_rewrite_map(&m->rewrite, input);
        e.versions[i] = input == MS_NO_TENSOR ? 0 : m->versions[input];
    }
    e.hash = ms_attributes_hash(node->op, &node->attributes);
    e.hash = ms_hash_append(e.hash, &node->recomputed, sizeof node->recomputed);
    e.hash = ms_hash_append(e.hash, &e.step_version, sizeof e.step_version);
    e.hash = ms_hash_append(e.hash, e.inputs, sizeof e.inputs);
    e.hash = ms_hash_append(e.hash, e.versions, sizeof e.versions);
    return e;
}

static bool same_result(const ms_graph *graph, const entry *a, const entry *b) {
    if (a->hash != b->hash || a->step_version != b->step_version) return false;
    const ms_node *x = ms_graph_node(graph, a->node), *y = ms_graph_node(graph, b->node);
    return x->op == y->op && x->recomputed == y->recomputed && memcmp(a->inputs, b->inputs, sizeof a->inputs) == 0 &&
           memcmp(a->versions, b->versions, sizeof a->versions) == 0 &&
           ms_attributes_equal(x->op, &x->attributes, &y->attributes);
}

/* The slot of an equal entry, or the empty one where it belongs. */
static entry *find_slot(merger *m, const entry *wanted) {
    size_t i = (size_t)wanted->hash & (m->n_slots - 1);
    while (m->table[i].node >= 0 && !same_result(m->rewrite.source, &m->table[i], wanted))
        i = (i + 1) & (m->n_slots - 1);
    return &m->table[i];
}

/* Assignments have effects.  Filling again costs less than keeping a large tensor of one value, whose storage can then
   be worked in. */
static bool may_merge(const ms_node *node) {
    return node->op != MS_OP_ASSIGN && (node->op != MS_OP_FILL || ms_shape_count(&node->attributes.fill.shape) == 1);
}

static void merge_node(merger *m, int32_t i_node) {
    const ms_node *node = ms_graph_node(m->rewrite.source, i_node);
    if (!may_merge(node)) {
        ms_rewrite_copy(&m->rewrite, node);
        if (node->op == MS_OP_ASSIGN) count_assignment(m, node);
        return;
    }
    entry wanted = make_entry(m, i_node, node);
    entry *slot = find_slot(m, &wanted);
    if (slot->node < 0) {
        *slot = wanted;
        ms_rewrite_copy(&m->rewrite, node);
        return;
    }
    const ms_node *first = ms_graph_node(m->rewrite.source, slot->node);
    for (int i = 0; i < node->n_outputs; i++) m->rewrite.map[node->outputs[i]] = m->rewrite.map[first->outputs[i]];
}

static ms_status merge(const ms_graph *graph, ms_graph **out) {
    merger m;
    memset(&m, 0, sizeof m);
    ms_status status = ms_rewrite_init(&m.rewrite, graph);
    if (status != MS_OK) return ms_rewrite_finish(&m.rewrite, status, out);
    int n_nodes = ms_graph_n_nodes(graph);
    for (m.n_slots = 16; m.n_slots < 2 * (size_t)n_nodes; m.n_slots *= 2) {
    }
    m.versions = calloc((size_t)ms_graph_n_tensors(graph) + 1, sizeof *m.versions);
    m.table = malloc(m.n_slots * sizeof *m.table);
    if (!m.versions || !m.table) status = MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory to simplify %d nodes", n_nodes);
    for (size_t i = 0; status == MS_OK && i < m.n_slots; i++) m.table[i].node = -1;
    for (ms_tensor t = 0; status == MS_OK && t < ms_graph_n_tensors(graph); t++)
        status = ms_parts_add(&m.views, ms_graph_tensor(graph, t), t);
    ms_parts_sort(&m.views);
    for (int i = 0; status == MS_OK && i < n_nodes; i++)
        if (m.rewrite.live_nodes[i]) merge_node(&m, i);
    free(m.versions);
    free(m.table);
    ms_parts_finish(&m.views);
    return ms_rewrite_finish(&m.rewrite, status, out);
}

ms_status ms_graph_simplify(const ms_graph *graph, ms_graph **out) {
    *out = NULL;
    ms_graph *kept;
    MS_TRY(ms_graph_keep_f32(graph, &kept));
    ms_status status = merge(kept, out);
    ms_graph_destroy(kept);
    return status;
}

ms_status ms_graph_finish(const ms_graph *graph, ms_graph **out) {
    *out = NULL;
    ms_graph *lowered;
    MS_TRY(ms_graph_lower(graph, &lowered));
    ms_status status = ms_graph_simplify(lowered, out);
    ms_graph_destroy(lowered);
    return status;
}
