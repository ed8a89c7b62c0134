/* Lowering, simplification and costs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plan.h"
#include "tests/ir/support.h"
#include "tests/support/suite.h"

typedef struct fixture {
    ms_variables *variables;
    ms_graph *graph;
    int x, y, out, scalars; /* [6,4], [6,4], [8], [2] */
} fixture;

static fixture create(void) {
    fixture f;
    CHECK_OK(ms_variables_create(&f.variables));
    ms_variable_kind state = MS_VARIABLE_STATE;
    CHECK_OK(ms_variables_add(f.variables, "x", state, MS_DTYPE_F32, ms_shape_2(6, 4), &f.x));
    CHECK_OK(ms_variables_add(f.variables, "y", state, MS_DTYPE_F32, ms_shape_2(6, 4), &f.y));
    CHECK_OK(ms_variables_add(f.variables, "out", state, MS_DTYPE_F32, ms_shape_1(8), &f.out));
    CHECK_OK(ms_variables_add(f.variables, "scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(2), &f.scalars));
    CHECK_OK(ms_graph_create(f.variables, f.scalars, &f.graph));
    return f;
}

static void destroy(fixture *f) {
    ms_graph_destroy(f->graph);
    ms_variables_destroy(f->variables);
}

static void put(fixture *f, ms_tensor scalar, int at) {
    ms_assign(f->graph, scalar, ms_view(f->graph, f->out, at, ms_shape_1(1)));
}

/* The number of nodes with this op after simplification. */
static int simplified_count(const fixture *f, ms_op op) {
    ms_graph *simple;
    CHECK_OK(ms_graph_simplify(f->graph, &simple));
    int n = count_op(simple, op);
    ms_graph_destroy(simple);
    return n;
}

START_TEST(equal_nodes_are_merged) {
    fixture f = create();
    ms_tensor x = ms_view_all(f.graph, f.x);
    put(&f, ms_sum(f.graph, ms_relu2(f.graph, x)), 0);
    put(&f, ms_sum(f.graph, ms_relu2(f.graph, x)), 1);
    put(&f, ms_sum(f.graph, ms_axpby(f.graph, ms_constant(2), x, ms_constant(0), MS_NO_TENSOR)), 2);
    put(&f, ms_sum(f.graph, ms_axpby(f.graph, ms_constant(3), x, ms_constant(0), MS_NO_TENSOR)), 3);
    put(&f, ms_sum(f.graph, ms_axpby(f.graph, ms_step_scalar(2, 0), x, ms_constant(0), MS_NO_TENSOR)), 4);
    ck_assert_int_eq(simplified_count(&f, MS_OP_RELU2), 1);
    ck_assert_int_eq(simplified_count(&f, MS_OP_AXPBY), 3); /* other attributes: other nodes */
    ck_assert_int_eq(simplified_count(&f, MS_OP_SUM), 4);
    ck_assert_int_eq(simplified_count(&f, MS_OP_ASSIGN), 5);
    destroy(&f);
}
END_TEST

START_TEST(a_store_separates_reads) {
    fixture f = create();
    ms_tensor top = ms_view(f.graph, f.x, 0, ms_shape_2(2, 4)), middle = ms_view(f.graph, f.x, 4, ms_shape_2(2, 4));
    ms_tensor bottom = ms_view(f.graph, f.x, 16, ms_shape_2(2, 4));
    for (int round = 0; round < 2; round++) {
        put(&f, ms_sum(f.graph, ms_relu2(f.graph, top)), 2 * round);
        put(&f, ms_sum(f.graph, ms_relu2(f.graph, bottom)), 2 * round + 1);
        if (round == 0) ms_assign(f.graph, ms_view(f.graph, f.y, 0, ms_shape_2(2, 4)), middle); /* overlaps top */
    }
    ck_assert_int_eq(simplified_count(&f, MS_OP_RELU2), 3);
    destroy(&f);
}
END_TEST

START_TEST(a_store_to_the_step_scalars_separates_their_readers) {
    fixture f = create();
    ms_tensor x = ms_view_all(f.graph, f.x), sums[2];
    for (int i = 0; i < 2; i++) {
        sums[i] = ms_sum(f.graph, ms_axpby(f.graph, ms_step_scalar(2, 0), x, ms_constant(0), MS_NO_TENSOR));
        if (i == 0) ms_assign(f.graph, sums[0], ms_view(f.graph, f.scalars, 0, ms_shape_1(1)));
    }
    put(&f, sums[1], 0);
    ck_assert_int_eq(simplified_count(&f, MS_OP_AXPBY), 2);
    destroy(&f);
}
END_TEST

START_TEST(repeats_are_not_merged_with_originals) {
    fixture f = create();
    ms_tensor x = ms_view_all(f.graph, f.x);
    for (int i = 0; i < 4; i++) {
        ms_graph_set_recomputed(f.graph, i >= 2);
        put(&f, ms_sum(f.graph, ms_relu2(f.graph, x)), i);
    }
    ck_assert_int_eq(simplified_count(&f, MS_OP_RELU2), 2);
    destroy(&f);
}
END_TEST

START_TEST(large_fills_are_kept_apart) {
    fixture f = create();
    for (int i = 0; i < 2; i++) {
        put(&f, ms_sum(f.graph, ms_fill(f.graph, 1, MS_DTYPE_F32, ms_shape_1(9))), i);
        put(&f, ms_fill(f.graph, 3, MS_DTYPE_F32, ms_shape_1(1)), 2 + i);
    }
    ck_assert_int_eq(simplified_count(&f, MS_OP_FILL), 3);
    destroy(&f);
}
END_TEST

START_TEST(dead_nodes_are_removed) {
    fixture f = create();
    ms_tensor x = ms_view_all(f.graph, f.x), y = ms_view_all(f.graph, f.y), gate, up;
    ms_swiglu_grad(f.graph, x, y, x, &gate, &up);
    ms_sum(f.graph, ms_relu2(f.graph, gate)); /* reaches no assignment */
    put(&f, ms_sum(f.graph, up), 0);
    ck_assert_int_eq(simplified_count(&f, MS_OP_RELU2), 0);
    ck_assert_int_eq(simplified_count(&f, MS_OP_SUM), 1);
    ck_assert_int_eq(simplified_count(&f, MS_OP_SWIGLU_GRAD), 1);
    destroy(&f);
}
END_TEST

START_TEST(simplification_is_idempotent) {
    for (unsigned seed = 1; seed <= 50; seed++) {
        ms_variables *variables;
        ms_graph *graph, *once, *twice;
        random_graph(seed, 80, &variables, &graph);
        CHECK_OK(ms_graph_finish(graph, &once));
        CHECK_OK(ms_graph_finish(once, &twice));
        char *a = graph_text(once), *b = graph_text(twice);
        ck_assert_str_eq(a, b);
        free(a);
        free(b);
        ms_graph_destroy(twice);
        ms_graph_destroy(once);
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
}
END_TEST

START_TEST(a_failed_graph_is_not_finished) {
    fixture f = create();
    ms_matmul(f.graph, ms_view_all(f.graph, f.x), ms_view_all(f.graph, f.y), MS_NO_TENSOR,
              &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32});
    ms_graph *out;
    CHECK_FAILS(ms_graph_finish(f.graph, &out), MS_INVALID, "matmul: [6,4] times [6,4] does not fit");
    ck_assert_ptr_null(out);
    destroy(&f);
}
END_TEST

/* ---- lowering ---- */

enum { TOKENS = 50, WIDTH = 3, VOCABULARY = 100, CHUNK = 8 };

typedef struct loss_graph {
    ms_variables *variables;
    ms_graph *graph, *finished;
} loss_graph;

static loss_graph loss_create(int64_t chunk, bool want_dh, bool want_de) {
    loss_graph f;
    int h, e, targets, loss_out, dh_out, de_out;
    CHECK_OK(ms_variables_create(&f.variables));
    ms_variable_kind kind = MS_VARIABLE_STATE;
    CHECK_OK(ms_variables_add(f.variables, "h", kind, MS_DTYPE_F32, ms_shape_2(TOKENS, WIDTH), &h));
    CHECK_OK(ms_variables_add(f.variables, "e", kind, MS_DTYPE_F32, ms_shape_2(VOCABULARY, WIDTH), &e));
    CHECK_OK(ms_variables_add(f.variables, "targets", kind, MS_DTYPE_I32, ms_shape_1(TOKENS), &targets));
    CHECK_OK(ms_variables_add(f.variables, "loss", kind, MS_DTYPE_F32, ms_shape_1(1), &loss_out));
    CHECK_OK(ms_variables_add(f.variables, "dh", kind, MS_DTYPE_F32, ms_shape_2(TOKENS, WIDTH), &dh_out));
    CHECK_OK(ms_variables_add(f.variables, "de", kind, MS_DTYPE_F32, ms_shape_2(VOCABULARY, WIDTH), &de_out));
    CHECK_OK(ms_graph_create(f.variables, -1, &f.graph));
    ms_tied_cross_entropy_attributes attributes = {0.02f, chunk, MS_DTYPE_F32};
    ms_tensor out[4];
    ms_tied_cross_entropy(
        f.graph, (const ms_tensor[]){ms_view_all(f.graph, h), ms_view_all(f.graph, e), ms_view_all(f.graph, targets)},
        &attributes, out);
    ms_assign(f.graph, out[0], ms_view_all(f.graph, loss_out));
    if (want_dh) ms_assign(f.graph, out[1], ms_view_all(f.graph, dh_out));
    if (want_de) ms_assign(f.graph, out[2], ms_view_all(f.graph, de_out));
    CHECK_OK(ms_graph_finish(f.graph, &f.finished));
    return f;
}

static void loss_destroy(loss_graph *f) {
    ms_graph_destroy(f->finished);
    ms_graph_destroy(f->graph);
    ms_variables_destroy(f->variables);
}

START_TEST(the_loss_becomes_chunks) {
    loss_graph f = loss_create(CHUNK, true, true);
    int n_chunks = (TOKENS + CHUNK - 1) / CHUNK; /* the last one is smaller */
    ck_assert_int_eq(count_op(f.finished, MS_OP_TIED_CROSS_ENTROPY), 0);
    ck_assert_int_eq(count_op(f.finished, MS_OP_CROSS_ENTROPY), n_chunks);
    ck_assert_int_eq(count_op(f.finished, MS_OP_MATMUL), 3 * n_chunks);
    ck_assert_int_eq(count_op(f.finished, MS_OP_INSERT), 2 * n_chunks);
    loss_destroy(&f);
    f = loss_create(TOKENS, true, true);
    ck_assert_int_eq(count_op(f.finished, MS_OP_MATMUL), 3);
    ck_assert_int_eq(count_op(f.finished, MS_OP_INSERT) + count_op(f.finished, MS_OP_SLICE), 0);
    loss_destroy(&f);
}
END_TEST

START_TEST(unused_gradients_of_the_loss_are_not_computed) {
    int n_chunks = (TOKENS + CHUNK - 1) / CHUNK;
    for (int want = 0; want < 4; want++) {
        loss_graph f = loss_create(CHUNK, (want & 1) != 0, (want & 2) != 0);
        ck_assert_int_eq(count_op(f.finished, MS_OP_MATMUL), n_chunks * (1 + (want & 1) + (want >> 1)));
        loss_destroy(&f);
    }
}
END_TEST

/* One chunk of logits is alive at a time, and the accumulated gradients lie in their variables. */
START_TEST(at_most_one_chunk_of_logits_is_alive) {
    loss_graph f = loss_create(CHUNK, true, true);
    ms_plan plan;
    ms_plan_options options = {.f32_bytes = 4, .alignment_bytes = 64};
    CHECK_OK(ms_plan_init(f.finished, &options, &plan));
    size_t logits = CHUNK * VOCABULARY * 4, rest = 64 * 16; /* slices of h and targets, losses, a chunk of dh */
    ck_assert_uint_ge(plan.arena_bytes, logits);
    ck_assert_uint_le(plan.arena_bytes, logits + rest);
    ck_assert_int_eq(plan.n_placed, 3);
    ms_plan_finish(&plan);
    loss_destroy(&f);
}
END_TEST

/* ---- costs ---- */

static ms_cost cost_of(const fixture *f, ms_tensor tensor) {
    const ms_tensor_info *info = ms_graph_tensor(f->graph, tensor);
    return ms_node_cost(f->graph, ms_graph_node(f->graph, info->producer));
}

START_TEST(costs_count_multiply_adds_as_two) {
    fixture f = create();
    ms_tensor x = ms_view_all(f.graph, f.x), y = ms_view_all(f.graph, f.y);
    ms_tensor product = ms_matmul(f.graph, x, y, MS_NO_TENSOR,
                                  &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32}); /* [6,6], depth 4 */
    ms_cost cost = cost_of(&f, product);
    ck_assert_double_eq(cost.contraction_flops, 2 * 6 * 6 * 4);
    ck_assert_double_eq(cost.flops, cost.contraction_flops);
    ck_assert_double_eq(cost.bytes, 4 * (24 + 24 + 36));
    cost = cost_of(&f, ms_matmul(f.graph, x, y, ms_gram(f.graph, x, true),
                                 &(ms_matmul_attributes){true, false, 1, 1, MS_DTYPE_F32})); /* [4,4], depth 6 */
    ck_assert_double_eq(cost.contraction_flops, 2 * 4 * 4 * 6);
    ck_assert_double_eq(cost.flops, cost.contraction_flops + 2 * 16);
    cost = cost_of(&f, ms_gram(f.graph, x, false)); /* [6,6]: 21 different elements */
    ck_assert_double_eq(cost.contraction_flops, 2 * 21 * 4);
    cost = cost_of(&f, ms_add(f.graph, x, y));
    ck_assert_double_eq(cost.flops, 3 * 24);
    ck_assert_double_eq(cost.contraction_flops, 0);
    cost = cost_of(&f, ms_slice(f.graph, x, 1, 2));
    ck_assert_double_eq(cost.bytes, 2 * 8 * 4);
    ms_attention_attributes attention = {2, 3, 2, 1, 2, 1}; /* 2 sequences, 2 heads, 6 visible pairs each */
    ms_tensor o, lse;
    ms_attention(f.graph,
                 (const ms_tensor[]){x, ms_slice(f.graph, ms_reshape(f.graph, x, ms_shape_2(12, 2)), 0, 6),
                                     ms_slice(f.graph, ms_reshape(f.graph, y, ms_shape_2(12, 2)), 0, 6)},
                 &attention, &o, &lse);
    CHECK_OK(ms_graph_status(f.graph));
    ck_assert_double_eq(cost_of(&f, o).contraction_flops, 2.0 * 2 * 2 * 6 * 2 * 2);
    ms_cost total = ms_graph_cost(f.graph);
    ck_assert_double_gt(total.flops, total.contraction_flops);
    destroy(&f);
}
END_TEST

START_TEST(lowering_keeps_the_contraction_cost) {
    loss_graph f = loss_create(CHUNK, true, true);
    ck_assert_double_eq(ms_graph_cost(f.graph).contraction_flops, 3.0 * 2 * TOKENS * VOCABULARY * WIDTH);
    ck_assert_double_eq(ms_graph_cost(f.finished).contraction_flops, ms_graph_cost(f.graph).contraction_flops);
    loss_destroy(&f);
}
END_TEST

/* Every op of a step that computes has a cost: a number forgotten in ops.def is found here. */
START_TEST(a_training_step_has_costs_for_all_its_ops) {
    step_options options = {.n_layers = 1, .n_sequences = 1, .sequence = 4, .chunk = 4, .swiglu = true, .n_micro = 2};
    step_graph step;
    step_build(&options, &step);
    for (int i = 0; i < ms_graph_n_nodes(step.graph); i++) {
        const ms_node *node = ms_graph_node(step.graph, i);
        ms_cost cost = ms_node_cost(step.graph, node);
        bool moves = node->op == MS_OP_FILL || node->op == MS_OP_CLIP_FACTOR || node->op == MS_OP_SLICE ||
                     node->op == MS_OP_INSERT;
        bool is_free = ms_op_get(node->op)->kind == MS_OP_KIND_FREE;
        ck_assert_msg(is_free || cost.bytes > 0, "%s moves no bytes", ms_op_get(node->op)->name);
        ck_assert_msg(is_free || moves || cost.flops > 0, "%s has no arithmetic", ms_op_get(node->op)->name);
    }
    step_finish(&step);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/passes");
    TCase *tcase = tcase_create("passes");
    tcase_add_test(tcase, equal_nodes_are_merged);
    tcase_add_test(tcase, a_store_separates_reads);
    tcase_add_test(tcase, a_store_to_the_step_scalars_separates_their_readers);
    tcase_add_test(tcase, repeats_are_not_merged_with_originals);
    tcase_add_test(tcase, large_fills_are_kept_apart);
    tcase_add_test(tcase, dead_nodes_are_removed);
    tcase_add_test(tcase, simplification_is_idempotent);
    tcase_add_test(tcase, a_failed_graph_is_not_finished);
    tcase_add_test(tcase, the_loss_becomes_chunks);
    tcase_add_test(tcase, unused_gradients_of_the_loss_are_not_computed);
    tcase_add_test(tcase, at_most_one_chunk_of_logits_is_alive);
    tcase_add_test(tcase, costs_count_multiply_adds_as_two);
    tcase_add_test(tcase, lowering_keeps_the_contraction_cost);
    tcase_add_test(tcase, a_training_step_has_costs_for_all_its_ops);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
