#include "backend/ir/graph.h"

#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"

struct ms_graph {
    const ms_variables *variables; /* borrowed */
    int step_scalars;
    ms_node *nodes;
    int n_nodes, node_capacity;
    ms_tensor_info *tensors;
    int n_tensors, tensor_capacity;
    ms_tensor *views;    /* [n_view_slots] hash table of the tensors that are views, MS_NO_TENSOR: a free slot */
    size_t n_view_slots; /* a power of two, or 0 */
    size_t n_views;
    int layer, recomputed; /* given to new nodes */
    ms_status status;      /* first failure of a builder call */
    char *message;         /* its text, owned; NULL when it could not be copied */
};

ms_status ms_graph_create(const ms_variables *variables, int step_scalars, ms_graph **out) {
    *out = NULL;
    if (step_scalars >= ms_variables_count(variables))
        return MS_FAIL(MS_INVALID, "graph: step scalars are variable %d of %d", step_scalars,
                       ms_variables_count(variables));
    ms_graph *graph = calloc(1, sizeof *graph);
    if (!graph) return MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory");
    graph->variables = variables;
    graph->step_scalars = step_scalars;
    graph->layer = -1;
    *out = graph;
    return MS_OK;
}

void ms_graph_destroy(ms_graph *graph) {
    if (!graph) return;
    free(graph->nodes);
    free(graph->tensors);
    free(graph->views);
    free(graph->message);
    free(graph);
}

const ms_variables *ms_graph_variables(const ms_graph *graph) { return graph->variables; }
int ms_graph_step_scalars(const ms_graph *graph) { return graph->step_scalars; }
int ms_graph_n_nodes(const ms_graph *graph) { return graph->n_nodes; }
const ms_node *ms_graph_node(const ms_graph *graph, int i_node) { return &graph->nodes[i_node]; }
int ms_graph_n_tensors(const ms_graph *graph) { return graph->n_tensors; }
const ms_tensor_info *ms_graph_tensor(const ms_graph *graph, ms_tensor tensor) { return &graph->tensors[tensor]; }
void ms_graph_set_layer(ms_graph *graph, int layer) { graph->layer = layer; }
void ms_graph_set_recomputed(ms_graph *graph, bool recomputed) { graph->recomputed = recomputed; }

ms_status ms_graph_status(const ms_graph *graph) {
    if (graph->status == MS_OK) return MS_OK;
    return MS_FAIL(graph->status, "%s", graph->message ? graph->message : ms_status_text(graph->status));
}

void ms_graph_fail(ms_graph *graph, ms_status status) {
    if (graph->status != MS_OK) return;
    graph->status = status;
    graph->message = strdup(ms_status_message());
}

/* Makes room for one more element; *items may move. */
static ms_status reserve(void **items, int count, int *capacity, size_t item_bytes) {
    if (count < *capacity) return MS_OK;
    if (*capacity > INT32_MAX / 2) return MS_FAIL(MS_UNSUPPORTED, "graph: more than %d entries", INT32_MAX / 2);
    int wanted = *capacity ? 2 * *capacity : 256;
    void *moved = realloc(*items, (size_t)wanted * item_bytes);
    if (!moved) return MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory for %d entries", wanted);
    *items = moved;
    *capacity = wanted;
    return MS_OK;
}

static ms_status add_tensor(ms_graph *graph, ms_tensor_info info, ms_tensor *out) {
    *out = MS_NO_TENSOR;
    MS_TRY(reserve((void **)&graph->tensors, graph->n_tensors, &graph->tensor_capacity, sizeof *graph->tensors));
    graph->tensors[graph->n_tensors] = info;
    *out = graph->n_tensors++;
    return MS_OK;
}

static ms_status check_inputs(const ms_graph *graph, ms_op op, const ms_tensor *inputs, int n_inputs) {
    const ms_op_info *info = ms_op_get(op);
    if (n_inputs < info->min_inputs || n_inputs > info->max_inputs)
        return MS_FAIL(MS_INVALID, "%s: %d inputs, takes %d to %d", info->name, n_inputs, info->min_inputs,
                       info->max_inputs);
    for (int i = 0; i < n_inputs; i++) {
        bool absent = inputs[i] == MS_NO_TENSOR && i >= info->min_inputs;
        if (!absent && (inputs[i] < 0 || inputs[i] >= graph->n_tensors))
            return MS_FAIL(MS_INVALID, "%s: input %d is no tensor of this graph", info->name, i);
    }
    return MS_OK;
}

static ms_status add_node(ms_graph *graph, ms_op op, const ms_tensor *inputs, int n_inputs,
                          const ms_attributes *attributes, ms_tensor *out_outputs) {
    MS_TRY(check_inputs(graph, op, inputs, n_inputs));
    const ms_tensor_info *input_infos[MS_MAX_INPUTS] = {0};
    for (int i = 0; i < n_inputs; i++)
        if (inputs[i] != MS_NO_TENSOR) input_infos[i] = &graph->tensors[inputs[i]];
    ms_tensor_info outputs[MS_MAX_OUTPUTS];
    memset(outputs, 0, sizeof outputs);
    MS_TRY(ms_op_infer(op, input_infos, n_inputs, attributes, outputs));
    MS_TRY(reserve((void **)&graph->nodes, graph->n_nodes, &graph->node_capacity, sizeof *graph->nodes));
    ms_node *node = &graph->nodes[graph->n_nodes];
    memset(node, 0, sizeof *node);
    node->op = op;
    node->n_inputs = n_inputs;
    for (int i = 0; i < MS_MAX_INPUTS; i++) node->inputs[i] = i < n_inputs ? inputs[i] : MS_NO_TENSOR;
    memcpy(&node->attributes, attributes, sizeof *attributes);
    node->layer = graph->layer;
    node->recomputed = graph->recomputed;
    node->n_outputs = ms_op_get(op)->n_outputs;
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) node->outputs[i] = MS_NO_TENSOR;
    for (int i = 0; i < node->n_outputs; i++) {
        outputs[i].producer = graph->n_nodes;
        outputs[i].output_index = i;
        outputs[i].variable = -1;
        MS_TRY(add_tensor(graph, outputs[i], &node->outputs[i]));
        if (out_outputs) out_outputs[i] = node->outputs[i];
    }
    graph->n_nodes++;
    return MS_OK;
}

ms_status ms_graph_add(ms_graph *graph, ms_op op, const ms_tensor *inputs, int n_inputs,
                       const ms_attributes *attributes, ms_tensor *out_outputs) {
    bool known = (unsigned)op < MS_OP_COUNT;
    for (int i = 0; known && out_outputs && i < ms_op_get(op)->n_outputs; i++) out_outputs[i] = MS_NO_TENSOR;
    if (graph->status != MS_OK) return ms_graph_status(graph);
    static const ms_attributes no_attributes; /* zero */
    ms_status status =
        known ? add_node(graph, op, inputs, n_inputs, attributes ? attributes : &no_attributes, out_outputs)
              : MS_FAIL(MS_INVALID, "graph: op is %d, must be 0 (%s) to %d (%s)", (int)op, ms_op_get(0)->name,
                        MS_OP_COUNT - 1, ms_op_get(MS_OP_COUNT - 1)->name);
    if (status != MS_OK) {
        if (graph->layer >= 0) status = ms_status_note(status, "layer %d", graph->layer);
        ms_graph_fail(graph, status);
    }
    return status;
}

/* The slot that holds the view, or the free slot where it belongs. */
static ms_tensor *find_view_slot(const ms_graph *graph, int variable, int64_t offset, const ms_shape *shape) {
    uint64_t hash = ms_hash_append(MS_HASH_EMPTY, &variable, sizeof variable);
    hash = ms_hash_append(hash, &offset, sizeof offset);
    hash = ms_hash_append(hash, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
    for (size_t slot = (size_t)hash;; slot++) {
        ms_tensor *view = &graph->views[slot & (graph->n_view_slots - 1)];
        if (*view == MS_NO_TENSOR) return view;
        const ms_tensor_info *info = &graph->tensors[*view];
        if (info->variable == variable && info->offset == offset && ms_shape_equal(&info->shape, shape)) return view;
    }
}

/* Keeps at least half of the slots free. */
static ms_status grow_views(ms_graph *graph) {
    if (2 * graph->n_views < graph->n_view_slots) return MS_OK;
    size_t n_before = graph->n_view_slots, n_slots = n_before ? 2 * n_before : 256;
    ms_tensor *before = graph->views, *slots = malloc(n_slots * sizeof *slots);
    if (!slots) return MS_FAIL(MS_OUT_OF_MEMORY, "graph: no memory for %zu views", n_slots / 2);
    for (size_t i = 0; i < n_slots; i++) slots[i] = MS_NO_TENSOR;
    graph->views = slots;
    graph->n_view_slots = n_slots;
    for (size_t i = 0; i < n_before; i++) {
        if (before[i] == MS_NO_TENSOR) continue;
        const ms_tensor_info *info = &graph->tensors[before[i]];
        *find_view_slot(graph, info->variable, info->offset, &info->shape) = before[i];
    }
    free(before);
    return MS_OK;
}

static ms_status find_or_add_view(ms_graph *graph, int variable, int64_t offset, ms_shape shape, ms_tensor *out) {
    char text[64], whole[64];
    *out = MS_NO_TENSOR;
    if (variable < 0 || variable >= ms_variables_count(graph->variables))
        return MS_FAIL(MS_INVALID, "view: variable %d of %d", variable, ms_variables_count(graph->variables));
    const ms_variable *source = ms_variables_get(graph->variables, variable);
    bool valid = shape.rank >= 1 && shape.rank <= MS_MAX_RANK && offset >= 0;
    for (int i = 0; valid && i < shape.rank; i++) valid = shape.dim[i] >= 1;
    if (!valid || offset + ms_shape_count(&shape) > ms_shape_count(&source->shape))
        return MS_FAIL(MS_INVALID, "view of %s %s: elements from %lld in shape %s do not lie in it", source->name,
                       ms_shape_text(&source->shape, whole, sizeof whole), (long long)offset,
                       ms_shape_text(&shape, text, sizeof text));
    MS_TRY(grow_views(graph));
    ms_tensor *slot = find_view_slot(graph, variable, offset, &shape);
    if (*slot != MS_NO_TENSOR) {
        *out = *slot;
        return MS_OK;
    }
    ms_tensor_info info;
    memset(&info, 0, sizeof info);
    info.dtype = source->dtype;
    info.shape = shape;
    info.producer = -1;
    info.variable = variable;
    info.offset = offset;
    MS_TRY(add_tensor(graph, info, out));
    *slot = *out;
    graph->n_views++;
    return MS_OK;
}

ms_tensor ms_view(ms_graph *graph, int variable, int64_t offset, ms_shape shape) {
    if (graph->status != MS_OK) return MS_NO_TENSOR;
    ms_tensor tensor;
    ms_status status = find_or_add_view(graph, variable, offset, shape, &tensor);
    if (status != MS_OK) ms_graph_fail(graph, status);
    return tensor;
}

/* The shape of a variable, or an empty one (which no view accepts) for a bad index. */
static ms_shape variable_shape(const ms_graph *graph, int variable) {
    bool valid = variable >= 0 && variable < ms_variables_count(graph->variables);
    return valid ? ms_variables_get(graph->variables, variable)->shape : (ms_shape){0};
}

ms_tensor ms_view_all(ms_graph *graph, int variable) {
    return ms_view(graph, variable, 0, variable_shape(graph, variable));
}

ms_tensor ms_view_slice(ms_graph *graph, int variable, int64_t i) {
    ms_shape whole = variable_shape(graph, variable), shape = {0};
    shape.rank = whole.rank - 1;
    for (int d = 1; d < whole.rank; d++) shape.dim[d - 1] = whole.dim[d];
    return ms_view(graph, variable, i * ms_shape_count(&shape), shape);
}

ms_tensor ms_view_rows(ms_graph *graph, int variable, int64_t i, int64_t begin, int64_t count) {
    ms_shape whole = variable_shape(graph, variable);
    bool inside = whole.rank == 3 && begin >= 0 && count >= 1 && begin + count <= whole.dim[1];
    ms_shape shape = inside ? ms_shape_2(count, whole.dim[2]) : (ms_shape){0};
    return ms_view(graph, variable, (i * whole.dim[1] + begin) * whole.dim[2], shape);
}
