#include "cli/verify/production_shapes.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ir/attributes.h"

static bool is_checked(ms_op op) {
    return op == MS_OP_MATMUL || op == MS_OP_GRAM || op == MS_OP_ATTENTION || op == MS_OP_ATTENTION_GRAD ||
           op == MS_OP_CROSS_ENTROPY;
}

static ms_op_case shape_of(const ms_graph *graph, const ms_node *node) {
    ms_op_case shape = ms_case_of(node->op);
    shape.attributes = node->attributes;
    for (int i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == MS_NO_TENSOR) {
            ms_case_absent(&shape);
            continue;
        }
        const ms_tensor_info *info = ms_graph_tensor(graph, node->inputs[i]);
        ms_case_input(&shape, info->dtype, info->shape, MS_CASE_NORMAL);
    }
    return shape;
}

static int kind_of_factor(float value) { return value == 0 ? 0 : value == 1 ? 1 : 2; }

static bool attributes_equal(const ms_op_case *x, const ms_op_case *y) {
    ms_attributes a = x->attributes, b = y->attributes;
    if (x->op == MS_OP_MATMUL) {
        if (kind_of_factor(a.matmul.alpha) != kind_of_factor(b.matmul.alpha) ||
            kind_of_factor(a.matmul.beta) != kind_of_factor(b.matmul.beta))
            return false;
        a.matmul.alpha = b.matmul.alpha;
        a.matmul.beta = b.matmul.beta;
    }
    if (x->op == MS_OP_CROSS_ENTROPY) a.cross_entropy.scale = b.cross_entropy.scale;
    return ms_attributes_equal(x->op, &a, &b);
}

static bool is_same(const ms_op_case *x, const ms_op_case *y) {
    if (x->op != y->op || x->n_inputs != y->n_inputs || !attributes_equal(x, y)) return false;
    for (int i = 0; i < x->n_inputs; i++) {
        bool has = ms_case_has_input(x, i);
        if (has != ms_case_has_input(y, i)) return false;
        if (has && (x->dtype[i] != y->dtype[i] || !ms_shape_equal(&x->shape[i], &y->shape[i]))) return false;
    }
    return true;
}

static ms_status grow(ms_production_shapes *shapes) {
    if (shapes->n < shapes->capacity) return MS_OK;
    int32_t capacity = shapes->capacity ? 2 * shapes->capacity : 32;
    ms_op_case *list = realloc(shapes->list, (size_t)capacity * sizeof *list);
    if (list) shapes->list = list;
    int64_t *n_uses = realloc(shapes->n_uses, (size_t)capacity * sizeof *n_uses);
    if (n_uses) shapes->n_uses = n_uses;
    if (!list || !n_uses) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %d shapes", capacity);
    shapes->capacity = capacity;
    return MS_OK;
}

static ms_status add_graph(ms_production_shapes *shapes, const ms_graph *graph, int64_t runs) {
    for (int i = 0; graph && i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        if (!is_checked(node->op)) continue;
        ms_op_case shape = shape_of(graph, node);
        int at = 0;
        while (at < shapes->n && !is_same(&shapes->list[at], &shape)) at++;
        if (at == shapes->n) {
            MS_TRY(ms_case_infer(&shape));
            MS_TRY(grow(shapes));
            shapes->list[at] = shape;
            shapes->n_uses[at] = 0;
            shapes->n++;
        }
        shapes->n_uses[at] += runs;
    }
    return MS_OK;
}

ms_status ms_production_shapes_add(ms_production_shapes *shapes, const ms_trainer *trainer) {
    MS_TRY(add_graph(shapes, trainer->first_graph, 1));
    MS_TRY(add_graph(shapes, trainer->next_graph, trainer->options.accumulation - 1));
    return add_graph(shapes, trainer->update_graph, 1);
}

void ms_production_shapes_finish(ms_production_shapes *shapes) {
    free(shapes->list);
    free(shapes->n_uses);
    memset(shapes, 0, sizeof *shapes);
}
