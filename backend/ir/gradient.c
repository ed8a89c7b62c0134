/* Reverse-mode differentiation: the backward pass over the forward nodes, accumulation, and recomputation of blocks.
   The rules of the ops stand in gradient_<family>.c. */
#include "backend/ir/gradient.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ir/gradient_pass.h"
#include "backend/ir/parts.h"

ms_shape ms_gradient_shape(const ms_gradient_pass *pass, ms_tensor tensor) {
    return ms_graph_tensor(pass->graph, tensor)->shape;
}

ms_dtype ms_gradient_dtype(const ms_gradient_pass *pass, ms_tensor tensor) {
    return ms_graph_tensor(pass->graph, tensor)->dtype;
}

ms_tensor ms_gradient_arrived(const ms_gradient_pass *pass, ms_tensor forward) { return pass->gradients[forward]; }

bool ms_gradient_wants(const ms_gradient_pass *pass, const ms_node *node, int i) {
    return i < node->n_inputs && node->inputs[i] != MS_NO_TENSOR && pass->needed[node->inputs[i]];
}

void ms_gradient_replace(ms_gradient_pass *pass, ms_tensor forward, ms_tensor sum) { pass->gradients[forward] = sum; }

bool ms_gradient_is_fill(const ms_gradient_pass *pass, ms_tensor tensor, float *out_value) {
    const ms_tensor_info *info = ms_graph_tensor(pass->graph, tensor);
    if (info->producer < 0) return false;
    const ms_node *node = ms_graph_node(pass->graph, info->producer);
    if (node->op != MS_OP_FILL) return false;
    *out_value = node->attributes.fill.value;
    return true;
}

void ms_gradient_add(ms_gradient_pass *pass, ms_tensor forward, ms_tensor contribution) {
    ms_gradient_add_scaled(pass, forward, ms_constant(1), contribution);
}

void ms_gradient_add_scaled(ms_gradient_pass *pass, ms_tensor forward, ms_coefficient factor, ms_tensor contribution) {
    if (contribution == MS_NO_TENSOR || !pass->needed[forward]) return;
    ms_tensor arrived = pass->gradients[forward];
    float value;
    if (arrived != MS_NO_TENSOR) {
        pass->gradients[forward] = ms_axpby(pass->graph, ms_constant(1), arrived, factor, contribution);
    } else if (factor.scalar < 0 && factor.constant == 1) {
        pass->gradients[forward] = contribution;
    } else if (factor.scalar < 0 && ms_gradient_is_fill(pass, contribution, &value)) {
        ms_tensor_info info = *ms_graph_tensor(pass->graph, contribution);
        pass->gradients[forward] = ms_fill(pass->graph, factor.constant * value, info.dtype, info.shape);
    } else {
        pass->gradients[forward] = ms_axpby(pass->graph, factor, contribution, ms_constant(0), MS_NO_TENSOR);
    }
}

/* The f32 tensor that a bf16 one is a cast of, or MS_NO_TENSOR. */
static ms_tensor original_of(const ms_gradient_pass *pass, ms_tensor forward) {
    int producer = ms_graph_tensor(pass->graph, forward)->producer;
    if (producer < 0 || ms_graph_node(pass->graph, producer)->op != MS_OP_CAST) return MS_NO_TENSOR;
    ms_tensor original = ms_graph_node(pass->graph, producer)->inputs[0];
    return ms_gradient_dtype(pass, original) == MS_DTYPE_F32 ? original : MS_NO_TENSOR;
}

void ms_gradient_add_f32(ms_gradient_pass *pass, ms_tensor forward, ms_tensor contribution) {
    if (ms_gradient_dtype(pass, forward) != MS_DTYPE_F32) {
        ms_tensor original = original_of(pass, forward);
        if (original != MS_NO_TENSOR && !pass->wanted[forward])
            forward = original;
        else
            contribution = ms_cast(pass->graph, contribution, ms_gradient_dtype(pass, forward));
    }
    ms_gradient_add(pass, forward, contribution);
}

ms_status ms_gradient_refuse_output(const ms_gradient_pass *pass, const ms_node *node, int i) {
    if (pass->gradients[node->outputs[i]] == MS_NO_TENSOR) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED, "gradient of %s: nothing is known of the gradient through output %d",
                   ms_op_get(node->op)->name, i);
}

/* Repeats a forward node of the current layer; its inputs are repeated first where they belong to the layer. */
static void repeat_node(ms_gradient_pass *pass, int i_node) {
    ms_node node = *ms_graph_node(pass->graph, i_node);
    for (int i = 0; i < node.n_inputs; i++)
        if (node.inputs[i] != MS_NO_TENSOR) node.inputs[i] = ms_gradient_value(pass, node.inputs[i]);
    ms_tensor outputs[MS_MAX_OUTPUTS];
    ms_graph_set_recomputed(pass->graph, true);
    ms_graph_add(pass->graph, node.op, node.inputs, node.n_inputs, &node.attributes, outputs);
    ms_graph_set_recomputed(pass->graph, false);
    for (int i = 0; i < node.n_outputs; i++) pass->repeats[node.outputs[i]] = outputs[i];
}

ms_tensor ms_gradient_value(ms_gradient_pass *pass, ms_tensor forward) {
    int producer = ms_graph_tensor(pass->graph, forward)->producer;
    if (!pass->recompute || producer < 0) return forward;
    int layer = ms_graph_node(pass->graph, producer)->layer;
    if (layer < 0 || layer != pass->layer) {
        pass->kept[forward] = true;
        return forward;
    }
    if (pass->kept[forward]) return forward;
    if (pass->repeats[forward] == MS_NO_TENSOR) repeat_node(pass, producer);
    return pass->repeats[forward];
}

/* ---- the pass ---- */

static void finish(ms_gradient_pass *pass) {
    free(pass->gradients);
    free(pass->repeats);
    free(pass->needed);
    free(pass->wanted);
    free(pass->kept);
}

static ms_status init(ms_gradient_pass *pass, ms_graph *graph, bool recompute) {
    memset(pass, 0, sizeof *pass);
    pass->graph = graph;
    pass->recompute = recompute;
    pass->n_nodes = ms_graph_n_nodes(graph);
    pass->n_tensors = ms_graph_n_tensors(graph);
    size_t n = (size_t)pass->n_tensors;
    pass->gradients = malloc(n * sizeof *pass->gradients);
    pass->repeats = malloc(n * sizeof *pass->repeats);
    pass->needed = calloc(n, sizeof *pass->needed);
    pass->wanted = calloc(n, sizeof *pass->wanted);
    pass->kept = calloc(n, sizeof *pass->kept);
    if (!pass->gradients || !pass->repeats || !pass->needed || !pass->wanted || !pass->kept) {
        finish(pass);
        return MS_FAIL(MS_OUT_OF_MEMORY, "gradients: no memory for %d tensors", pass->n_tensors);
    }
    for (size_t i = 0; i < n; i++) pass->gradients[i] = pass->repeats[i] = MS_NO_TENSOR;
    return MS_OK;
}

/* Marks every tensor that a wanted one reaches. */
static void mark_needed(ms_gradient_pass *pass) {
    for (int i = 0; i < pass->n_wrt; i++) pass->needed[pass->wrt[i]] = pass->wanted[pass->wrt[i]] = true;
    for (int i = 0; i < pass->n_nodes; i++) {
        const ms_node *node = ms_graph_node(pass->graph, i);
        bool reached = false;
        for (int k = 0; k < node->n_inputs; k++) reached |= ms_gradient_wants(pass, node, k);
        for (int k = 0; reached && k < node->n_outputs; k++) pass->needed[node->outputs[k]] = true;
    }
}

/* What may not overlap the views that the loss reads. */
typedef struct view_check {
    ms_parts wanted;   /* by tensor */
    ms_parts assigned; /* what nodes assign, by node */
    bool *ancestor;    /* [n_tensors] of the loss */
} view_check;

static void finish_check(view_check *check) {
    ms_parts_finish(&check->wanted);
    ms_parts_finish(&check->assigned);
    free(check->ancestor);
}

static ms_status init_check(view_check *check, const ms_gradient_pass *pass) {
    memset(check, 0, sizeof *check);
    check->ancestor = calloc((size_t)pass->n_tensors, sizeof *check->ancestor);
    if (!check->ancestor) return MS_FAIL(MS_OUT_OF_MEMORY, "gradients: no memory for %d tensors", pass->n_tensors);
    for (int i = 0; i < pass->n_wrt; i++)
        MS_TRY(ms_parts_add(&check->wanted, ms_graph_tensor(pass->graph, pass->wrt[i]), pass->wrt[i]));
    for (int i = 0; i < pass->n_nodes; i++) {
        const ms_node *node = ms_graph_node(pass->graph, i);
        if (node->op == MS_OP_ASSIGN)
            MS_TRY(ms_parts_add(&check->assigned, ms_graph_tensor(pass->graph, node->inputs[1]), i));
    }
    ms_parts_sort(&check->wanted);
    ms_parts_sort(&check->assigned);
    return MS_OK;
}

/* A view that the loss reads, at forward node i_node: nothing may write its elements later, and every wanted view must
   be the same one or lie apart, because gradients are kept per view. */
static ms_status check_view(const view_check *check, const ms_gradient_pass *pass, int i_node, ms_tensor view) {
    const ms_tensor_info *info = ms_graph_tensor(pass->graph, view);
    const char *name = ms_variables_get(ms_graph_variables(pass->graph), info->variable)->name;
    int32_t id;
    for (size_t at = ms_parts_begin(&check->wanted, info); ms_parts_next(&check->wanted, info, &at, &id);)
        if (id != view)
            return MS_FAIL(MS_UNSUPPORTED, "gradients: %s is wanted in another view than the loss reads", name);
    for (size_t at = ms_parts_begin(&check->assigned, info); ms_parts_next(&check->assigned, info, &at, &id);)
        if (id > i_node) return MS_FAIL(MS_UNSUPPORTED, "gradients: %s is written after the loss reads it", name);
    return MS_OK;
}

static ms_status check_ancestors(const view_check *check, const ms_gradient_pass *pass) {
    for (int i = pass->n_nodes - 1; i >= 0; i--) {
        const ms_node *node = ms_graph_node(pass->graph, i);
        bool wanted = false;
        for (int k = 0; k < node->n_outputs; k++) wanted |= check->ancestor[node->outputs[k]];
        for (int k = 0; wanted && k < node->n_inputs; k++) {
            ms_tensor input = node->inputs[k];
            if (input == MS_NO_TENSOR) continue;
            check->ancestor[input] = true;
            bool is_view = ms_graph_tensor(pass->graph, input)->producer < 0;
            if (is_view) MS_TRY(check_view(check, pass, i, input));
        }
    }
    return MS_OK;
}

/* Checks every view among the ancestors of loss. */
static ms_status check_views(const ms_gradient_pass *pass, ms_tensor loss) {
    view_check check;
    ms_status status = init_check(&check, pass);
    if (status == MS_OK) {
        check.ancestor[loss] = true;
        status = check_ancestors(&check, pass);
    }
    finish_check(&check);
    return status;
}

static ms_status run_rule(ms_gradient_pass *pass, const ms_node *node) {
    static const ms_gradient_rule rules[MS_OP_COUNT] = {
#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, gradient, ...) ms_gradient_##gradient,
#include "backend/ir/ops.def"
#undef OP
    };
    bool arrived = false, wanted = false;
    for (int i = 0; i < node->n_outputs; i++) arrived |= pass->gradients[node->outputs[i]] != MS_NO_TENSOR;
    for (int i = 0; i < node->n_inputs; i++) wanted |= ms_gradient_wants(pass, node, i);
    if (!arrived || !wanted) return MS_OK;
    pass->layer = node->layer;
    ms_graph_set_layer(pass->graph, node->layer);
    MS_TRY(rules[node->op](pass, node));
    return ms_graph_status(pass->graph);
}

ms_status ms_gradient_none(ms_gradient_pass *pass, const ms_node *node) {
    (void)pass;
    return MS_FAIL(MS_UNSUPPORTED, "gradients: %s has no gradient rule", ms_op_get(node->op)->name);
}

static ms_status check_arguments(const ms_graph *graph, ms_tensor loss, const ms_tensor *wrt, int n_wrt) {
    MS_TRY(ms_graph_status(graph));
    if (loss < 0 || loss >= ms_graph_n_tensors(graph)) return MS_FAIL(MS_INVALID, "gradients: no such loss tensor");
    const ms_tensor_info *info = ms_graph_tensor(graph, loss);
    char text[64];
    if (info->dtype != MS_DTYPE_F32 || ms_shape_count(&info->shape) != 1)
        return MS_FAIL(MS_INVALID, "gradients: the loss is %s %s, must be f32 [1]", ms_dtype_name(info->dtype),
                       ms_shape_text(&info->shape, text, sizeof text));
    for (int i = 0; i < n_wrt; i++)
        if (wrt[i] < 0 || wrt[i] >= ms_graph_n_tensors(graph))
            return MS_FAIL(MS_INVALID, "gradients: wanted tensor %d is no tensor of this graph", i);
    return MS_OK;
}

ms_status ms_gradients(ms_graph *graph, ms_tensor loss, const ms_tensor *wrt, int n_wrt,
                       const ms_gradient_options *options, ms_tensor *out_gradients) {
    for (int i = 0; i < n_wrt; i++) out_gradients[i] = MS_NO_TENSOR;
    MS_TRY(check_arguments(graph, loss, wrt, n_wrt));
    ms_gradient_pass pass;
    MS_TRY(init(&pass, graph, options && options->recompute));
    pass.wrt = wrt;
    pass.n_wrt = n_wrt;
    mark_needed(&pass);
    ms_status status = check_views(&pass, loss);
    if (status == MS_OK && pass.needed[loss]) {
        int producer = ms_graph_tensor(graph, loss)->producer;
        ms_graph_set_layer(graph, producer < 0 ? -1 : ms_graph_node(graph, producer)->layer);
        pass.gradients[loss] = ms_fill(graph, 1, MS_DTYPE_F32, ms_gradient_shape(&pass, loss));
        status = ms_graph_status(graph);
    }
    for (int i = pass.n_nodes - 1; i >= 0 && status == MS_OK; i--) {
        ms_node node = *ms_graph_node(graph, i); /* a copy: rules add nodes */
        status = run_rule(&pass, &node);
    }
    ms_graph_set_layer(graph, -1);
    for (int i = 0; i < n_wrt && status == MS_OK; i++) out_gradients[i] = pass.gradients[wrt[i]];
    if (status != MS_OK) ms_graph_fail(graph, status);
    finish(&pass);
    return status;
}
