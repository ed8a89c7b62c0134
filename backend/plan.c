/* The memory plan.  Three decisions in turn, each strictly safe given the ones before:

     1. values   A reshape shares the storage of its input: both hold one value, read-only.  A reshape of a
                 variable's view does so only while nothing is assigned to that part.
     2. places   A value that is assigned is computed in its variable, when no other content of that part is
                 wanted between its first write and the assignment, and nothing else is written there until its
                 last read.
     3. chains   An op works in place on an input that dies there, so that a chain of accumulations has one
                 storage.  A chain that ends in a variable grows backwards under the same conditions as in 2.

   What remains is packed into the arena (backend/plan_pack.c). */
#include "backend/plan.h"

#include <stdlib.h>
#include <string.h>

#include "backend/plan_pack.h"

/* A part of a variable in bytes; variable -1: none. */
typedef struct region {
    int32_t variable;
    int64_t begin, end;
} region;

/* A storage and the time, in node indices, during which it holds wanted content: a chain of values in place of each
   other. */
typedef struct storage {
    ms_tensor head;   /* the value that is written first */
    int32_t from, to; /* node that writes the head; last node that reads the last value */
    int64_t size_bytes;
    region place; /* where it is, when in a variable */
} storage;

/* One assignment.  Until its value is placed, it writes at one moment; then for as long as the value's storage is in
   use. */
typedef struct write {
    int32_t node;
    region part;
    ms_tensor placed; /* index of the storage that lives in the part, or MS_NO_TENSOR */
} write;

/* A node that reads a view: the content that was assigned last. */
typedef struct read {
    int32_t node;
    region part;
} read;

typedef struct planner {
    const ms_graph *graph;
    const ms_plan_options *options;
    int32_t n_tensors, n_nodes;
    int32_t *last_use;   /* [tensors] last node that reads the tensor or a reshape of it; -1: none */
    ms_tensor *value;    /* [tensors] the tensor that stands for the value: the first one, or the view */
    ms_tensor *storages; /* [tensors] index of the storage of a value, MS_NO_TENSOR for views and unused ones */
    storage *storage;    /* [tensors] entry t is used when storages[t] == t */
    write *writes;       /* by variable */
    read *reads;         /* by variable */
    int32_t *first_write, *first_read; /* [variables + 1] ranges of the two */
} planner;

static const ms_tensor_info *tensor_info(const planner *p, ms_tensor tensor) {
    return ms_graph_tensor(p->graph, tensor);
}

static size_t element_bytes(const planner *p, ms_dtype dtype) {
    return dtype == MS_DTYPE_F32 ? p->options->f32_bytes : ms_dtype_size(dtype);
}

static int64_t tensor_bytes(const planner *p, ms_tensor tensor) {
    const ms_tensor_info *info = tensor_info(p, tensor);
    return ms_shape_count(&info->shape) * (int64_t)element_bytes(p, info->dtype);
}

static bool is_view(const planner *p, ms_tensor tensor) { return tensor_info(p, tensor)->producer < 0; }

static region view_region(const planner *p, ms_tensor view) {
    const ms_tensor_info *info = tensor_info(p, view);
    int64_t begin = info->offset * (int64_t)element_bytes(p, info->dtype);
    return (region){info->variable, begin, begin + tensor_bytes(p, view)};
}

static bool overlap(region a, region b) {
    return a.variable >= 0 && a.variable == b.variable && a.begin < b.end && b.begin < a.end;
}

static bool same_region(region a, region b) { return a.variable == b.variable && a.begin == b.begin && a.end == b.end; }

/* Inputs that a node reads: the second input of assign is only named. */
static int n_read_inputs(const ms_node *node) { return node->op == MS_OP_ASSIGN ? 1 : node->n_inputs; }

/* ---- lifetimes and values ---- */

/* Backwards, so that a reshape's uses are known before its input's. */
static void find_last_uses(planner *p) {
    for (int32_t t = 0; t < p->n_tensors; t++) p->last_use[t] = -1;
    for (int32_t i = p->n_nodes - 1; i >= 0; i--) {
        const ms_node *node = ms_graph_node(p->graph, i);
        for (int k = 0; k < n_read_inputs(node); k++) {
            ms_tensor input = node->inputs[k];
            if (input == MS_NO_TENSOR) continue;
            int32_t last = i;
            if (node->op == MS_OP_RESHAPE && p->last_use[node->outputs[0]] > last) last = p->last_use[node->outputs[0]];
            if (last > p->last_use[input]) p->last_use[input] = last;
        }
    }
}

/* Whether an assignment overwrites a part while a reshape of it, made at `from`, is read until `to`. */
static bool overwritten(const planner *p, region part, int32_t from, int32_t to) {
    for (int32_t i = p->first_write[part.variable]; i < p->first_write[part.variable + 1]; i++)
        if (overlap(p->writes[i].part, part) && p->writes[i].node >= from && p->writes[i].node <= to) return true;
    return false;
}

static void find_values(planner *p) {
    for (int32_t t = 0; t < p->n_tensors; t++) {
        p->value[t] = t;
        p->storages[t] = MS_NO_TENSOR;
        const ms_tensor_info *info = tensor_info(p, t);
        if (info->producer < 0 || p->last_use[t] < 0) continue;
        const ms_node *node = ms_graph_node(p->graph, info->producer);
        if (node->op == MS_OP_RESHAPE && !p->options->no_reuse) {
            ms_tensor source = p->value[node->inputs[0]];
            bool shared =
                !is_view(p, source) || !overwritten(p, view_region(p, source), info->producer, p->last_use[t]);
            if (shared) p->value[t] = source;
        }
        if (p->value[t] != t) continue;
        p->storages[t] = t;
        p->storage[t] = (storage){t, info->producer, p->last_use[t], tensor_bytes(p, t), {-1, 0, 0}};
    }
}

/* Counts, then fills, the assignments and view reads of each variable in node order. */
static void list_writes(planner *p, bool fill) {
    int n_variables = ms_variables_count(ms_graph_variables(p->graph));
    int32_t *next = p->first_write;
    for (int32_t i = 0; i < p->n_nodes; i++) {
        const ms_node *node = ms_graph_node(p->graph, i);
        if (node->op != MS_OP_ASSIGN) continue;
        region part = view_region(p, node->inputs[1]);
        if (fill) p->writes[next[part.variable]] = (write){i, part, MS_NO_TENSOR};
        next[part.variable + (fill ? 0 : 1)]++;
    }
    /* Before filling: counts become starts.  After: each start was moved to the next one's. */
    for (int v = 0; !fill && v < n_variables; v++) next[v + 1] += next[v];
    for (int v = n_variables; fill && v > 0; v--) next[v] = next[v - 1];
    if (fill) next[0] = 0;
}

static void list_reads(planner *p, bool fill) {
    int n_variables = ms_variables_count(ms_graph_variables(p->graph));
    int32_t *next = p->first_read;
    for (int32_t i = 0; i < p->n_nodes; i++) {
        const ms_node *node = ms_graph_node(p->graph, i);
        for (int k = 0; k < n_read_inputs(node); k++) {
            ms_tensor input = node->inputs[k] == MS_NO_TENSOR ? MS_NO_TENSOR : p->value[node->inputs[k]];
            if (input == MS_NO_TENSOR || !is_view(p, input)) continue;
            region part = view_region(p, input);
            if (fill) p->reads[next[part.variable]] = (read){i, part};
            next[part.variable + (fill ? 0 : 1)]++;
        }
    }
    for (int v = 0; !fill && v < n_variables; v++) next[v + 1] += next[v];
    for (int v = n_variables; fill && v > 0; v--) next[v] = next[v - 1];
    if (fill) next[0] = 0;
}

/* ---- working in place ---- */

/* Whether a node may compute an output in the storage of an input.  bf16 and f32 never share: an element of one would
   be overwritten while its neighbour of the other is still to be read. */
static bool may_alias(const planner *p, const ms_node *node, int output, int slot) {
    return ms_op_may_alias(node->op, output, slot) &&
           tensor_info(p, node->outputs[output])->dtype == tensor_info(p, node->inputs[slot])->dtype;
}

/* Whether node may compute `output` over the content of `part`: exactly one input reads there, exactly that part, and
   may share storage with that output. */
static bool in_place_over_part(const planner *p, const ms_node *node, int output, region part) {
    int n_readers = 0;
    bool allowed = false;
    for (int k = 0; k < n_read_inputs(node); k++) {
        if (node->inputs[k] == MS_NO_TENSOR) continue;
        ms_tensor value = p->value[node->inputs[k]];
        region where = {-1, 0, 0};
        if (is_view(p, value))
            where = view_region(p, value);
        else if (p->storages[value] != MS_NO_TENSOR)
            where = p->storage[p->storages[value]].place;
        if (!overlap(where, part)) continue;
        n_readers++;
        allowed = same_region(where, part) && may_alias(p, node, output, k);
    }
    return n_readers == 1 && allowed;
}

/* The node and output that write a storage first. */
static const ms_node *head_node(const planner *p, ms_tensor head, int *out_output) {
    const ms_tensor_info *info = tensor_info(p, head);
    *out_output = info->output_index;
    return ms_graph_node(p->graph, info->producer);
}

/* Whether a storage whose content is wanted from `s->from` to `s->to` may live in `part`, into which node i_assign
   assigns it. */
static bool fits_part(const planner *p, const storage *s, region part, int32_t i_assign) {
    int output;
    const ms_node *head = head_node(p, s->head, &output);
    int32_t end = s->to > i_assign ? s->to : i_assign;
    for (int32_t i = p->first_write[part.variable]; i < p->first_write[part.variable + 1]; i++) {
        const write *w = &p->writes[i];
        if (w->node == i_assign || !overlap(w->part, part)) continue;
        int32_t from = w->node, to = w->node;
        if (w->placed != MS_NO_TENSOR) {
            const storage *other = &p->storage[w->placed];
            from = other->from;
            to = other->to > w->node ? other->to : w->node;
        }
        if (from > end || to < s->from) continue;
        /* It may take over where the other dies, not the other way round: that one's head was checked without this
           one. */
        bool takes_over = to == s->from && w->placed != MS_NO_TENSOR && in_place_over_part(p, head, output, part);
        if (!takes_over) return false;
    }
    for (int32_t i = p->first_read[part.variable]; i < p->first_read[part.variable + 1]; i++) {
        const read *r = &p->reads[i];
        if (!overlap(r->part, part) || r->node < s->from || r->node > i_assign) continue;
        if (r->node != s->from || !in_place_over_part(p, head, output, part)) return false;
    }
    return true;
}

static void place_stores(planner *p) {
    int step_scalars = ms_graph_step_scalars(p->graph);
    int n_variables = ms_variables_count(ms_graph_variables(p->graph));
    for (int v = 0; v < n_variables; v++) {
        if (v == step_scalars) continue; /* read by coefficients, which are not in the list of reads */
        for (int32_t i = p->first_write[v]; i < p->first_write[v + 1]; i++) {
            write *w = &p->writes[i];
            ms_tensor value = p->value[ms_graph_node(p->graph, w->node)->inputs[0]];
            if (is_view(p, value)) continue;
            storage *s = &p->storage[p->storages[value]];
            if (s->place.variable >= 0 || !fits_part(p, s, w->part, w->node)) continue;
            s->place = w->part;
            w->placed = p->storages[value];
        }
    }
}

/* The assignment that a placed storage was placed for. */
static int32_t store_of(const planner *p, ms_tensor storage_index) {
    region part = p->storage[storage_index].place;
    for (int32_t i = p->first_write[part.variable]; i < p->first_write[part.variable + 1]; i++)
        if (p->writes[i].placed == storage_index) return p->writes[i].node;
    return -1;
}

/* Lets the storage that output k of node i_node heads begin with input `slot`, when that dies here and nothing forbids
   it. */
static bool join(planner *p, int32_t i_node, int k, int slot) {
    const ms_node *node = ms_graph_node(p->graph, i_node);
    ms_tensor index = p->storages[node->outputs[k]], value = p->value[node->inputs[slot]];
    if (index == MS_NO_TENSOR || p->storage[index].head != node->outputs[k] || is_view(p, value)) return false;
    if (p->storages[value] != value) return false; /* goes on in another output already */
    storage *s = &p->storage[index], *before = &p->storage[value];
    if (before->place.variable >= 0 || before->to != i_node || before->size_bytes != s->size_bytes) return false;
    int n_readers = 0;
    for (int i = 0; i < n_read_inputs(node); i++)
        n_readers += node->inputs[i] != MS_NO_TENSOR && p->value[node->inputs[i]] == value;
    if (n_readers != 1) return false;
    storage joined = *s;
    joined.head = before->head;
    joined.from = before->from;
    if (s->place.variable >= 0 && !fits_part(p, &joined, s->place, store_of(p, index))) return false;
    *s = joined;
    p->storages[value] = index;
    return true;
}

/* Backwards: the storage that an output heads has then grown forward as far as it goes. */
static void join_chains(planner *p) {
    for (int32_t i = p->n_nodes - 1; i >= 0; i--) {
        const ms_node *node = ms_graph_node(p->graph, i);
        if (node->op == MS_OP_RESHAPE) continue; /* shared already, or not allowed to */
        for (int k = 0; k < node->n_outputs; k++)
            for (int slot = 0; slot < n_read_inputs(node); slot++)
                if (node->inputs[slot] != MS_NO_TENSOR && may_alias(p, node, k, slot) && join(p, i, k, slot)) break;
    }
}

/* ---- result ---- */

/* The largest sum, over the nodes, of the bytes of arena storages in use there. */
static ms_status find_live_bytes(const planner *p, ms_plan *plan) {
    int64_t *changes = calloc((size_t)p->n_nodes + 2, sizeof *changes), live = 0, most = 0;
    if (!changes) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d nodes", p->n_nodes);
    for (int32_t t = 0; t < p->n_tensors; t++) {
        const storage *s = &p->storage[t];
        if (p->storages[t] != t || s->place.variable >= 0) continue;
        bool always = p->options->no_reuse;
        changes[always ? 0 : s->from] += s->size_bytes;
        changes[always ? p->n_nodes : s->to + 1] -= s->size_bytes;
    }
    for (int32_t i = 0; i < p->n_nodes; i++) {
        live += changes[i];
        if (live > most) most = live;
    }
    plan->live_bytes = (size_t)most;
    free(changes);
    return MS_OK;
}

static ms_status pack(planner *p, ms_plan *plan) {
    ms_plan_storage *storages = calloc((size_t)p->n_tensors + 1, sizeof *storages);
    if (!storages) return MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d tensors", p->n_tensors);
    int32_t n_storages = 0;
    int64_t mask = (int64_t)p->options->alignment_bytes - 1;
    for (int32_t t = 0; t < p->n_tensors; t++) {
        if (p->storages[t] != t || p->storage[t].place.variable >= 0) continue;
        const storage *s = &p->storage[t];
        storages[n_storages++] = (ms_plan_storage){t, s->from, s->to, (s->size_bytes + mask) & ~mask, 0};
    }
    if (p->options->no_reuse) /* each is in use all the time */
        for (int32_t i = 0; i < n_storages; i++) storages[i].from = 0, storages[i].to = p->n_nodes;
    int64_t total = 0;
    ms_status status = ms_plan_pack(storages, n_storages, (int64_t)p->options->piece_bytes, &total);
    for (int32_t i = 0; i < n_storages; i++) plan->places[storages[i].id] = (ms_place){-1, storages[i].offset};
    plan->arena_bytes = (size_t)total;
    free(storages);
    return status;
}

static bool same_place(ms_place a, ms_place b) {
    return a.offset >= 0 && a.variable == b.variable && a.offset == b.offset;
}

/* Every tensor gets the place of its storage; storages in the arena have theirs already, under their own index. */
static void set_places(const planner *p, ms_plan *plan) {
    for (int32_t t = 0; t < p->n_tensors; t++) {
        ms_tensor value = p->value[t];
        if (is_view(p, value)) {
            region part = view_region(p, value);
            plan->places[t] = (ms_place){part.variable, part.begin};
        } else if (p->storages[value] == MS_NO_TENSOR) {
            plan->places[t] = (ms_place){-1, -1};
        } else {
            region part = p->storage[p->storages[value]].place;
            plan->places[t] =
                part.variable >= 0 ? (ms_place){part.variable, part.begin} : plan->places[p->storages[value]];
        }
    }
    for (int32_t i = 0; i < p->n_nodes; i++) {
        const ms_node *node = ms_graph_node(p->graph, i);
        bool is_placed =
            node->op == MS_OP_ASSIGN && same_place(plan->places[node->inputs[0]], plan->places[node->inputs[1]]);
        bool is_shared =
            node->op == MS_OP_RESHAPE && same_place(plan->places[node->inputs[0]], plan->places[node->outputs[0]]);
        plan->n_placed += is_placed;
        plan->n_active += !is_placed && !is_shared;
        for (int k = 0; k < node->n_outputs; k++) {
            bool shares = false;
            for (int j = 0; j < node->n_inputs; j++)
                shares |= node->inputs[j] != MS_NO_TENSOR &&
                          same_place(plan->places[node->outputs[k]], plan->places[node->inputs[j]]);
            plan->n_aliased += shares;
        }
    }
}

static void planner_finish(planner *p) {
    free(p->last_use);
    free(p->value);
    free(p->storages);
    free(p->storage);
    free(p->writes);
    free(p->reads);
    free(p->first_write);
    free(p->first_read);
}

static bool planner_init(planner *p, const ms_graph *graph, const ms_plan_options *options) {
    memset(p, 0, sizeof *p);
    p->graph = graph;
    p->options = options;
    p->n_tensors = ms_graph_n_tensors(graph);
    p->n_nodes = ms_graph_n_nodes(graph);
    size_t n = (size_t)p->n_tensors + 1, n_nodes = (size_t)p->n_nodes + 1;
    size_t n_variables = (size_t)ms_variables_count(ms_graph_variables(graph)) + 1;
    p->last_use = calloc(n, sizeof *p->last_use);
    p->value = calloc(n, sizeof *p->value);
    p->storages = calloc(n, sizeof *p->storages);
    p->storage = calloc(n, sizeof *p->storage);
    p->writes = calloc(n_nodes, sizeof *p->writes);
    p->reads = calloc(n_nodes * MS_MAX_INPUTS, sizeof *p->reads);
    p->first_write = calloc(n_variables, sizeof *p->first_write);
    p->first_read = calloc(n_variables, sizeof *p->first_read);
    return p->last_use && p->value && p->storages && p->storage && p->writes && p->reads && p->first_write &&
           p->first_read;
}

ms_status ms_plan_init(const ms_graph *graph, const ms_plan_options *options, ms_plan *out) {
    *out = (ms_plan){0};
    planner p;
    ms_status status = MS_OK;
    out->places = calloc((size_t)ms_graph_n_tensors(graph) + 1, sizeof *out->places);
    if (!planner_init(&p, graph, options) || !out->places)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "plan: no memory for %d tensors", ms_graph_n_tensors(graph));
    if (status == MS_OK) {
        list_writes(&p, false);
        list_writes(&p, true);
        find_last_uses(&p);
        find_values(&p);
        list_reads(&p, false);
        list_reads(&p, true);
        if (!options->no_reuse) {
            place_stores(&p);
            join_chains(&p);
        }
        status = pack(&p, out);
    }
    if (status == MS_OK) status = find_live_bytes(&p, out);
    if (status == MS_OK) set_places(&p, out);
    if (status != MS_OK) ms_plan_finish(out);
    planner_finish(&p);
    return status;
}

void ms_plan_finish(ms_plan *plan) {
    free(plan->places);
    *plan = (ms_plan){0};
}
