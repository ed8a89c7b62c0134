/* Variables, views, shape rules and the builders' sticky errors. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ir/support.h"
#include "tests/support/suite.h"

static ms_variables *variables;
static ms_graph *graph;
static int stack, matrix, wide, vector, index_variable; /* [2,4,3], [4,3], [3,5], [3], i32 [4] */

static void setup(void) {
    CHECK_OK(ms_variables_create(&variables));
    ms_variable_kind kind = MS_VARIABLE_STATE;
    CHECK_OK(ms_variables_add(variables, "stack", kind, MS_DTYPE_F32, ms_shape_3(2, 4, 3), &stack));
    CHECK_OK(ms_variables_add(variables, "matrix", kind, MS_DTYPE_F32, ms_shape_2(4, 3), &matrix));
    CHECK_OK(ms_variables_add(variables, "wide", kind, MS_DTYPE_F32, ms_shape_2(3, 5), &wide));
    CHECK_OK(ms_variables_add(variables, "vector", kind, MS_DTYPE_F32, ms_shape_1(3), &vector));
    CHECK_OK(ms_variables_add(variables, "index", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(4), &index_variable));
    CHECK_OK(ms_graph_create(variables, -1, &graph));
}

static void teardown(void) {
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}

START_TEST(variables_have_unique_valid_names_and_shapes) {
    int index;
    CHECK_FAILS(ms_variables_add(variables, "", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(1), &index), MS_INVALID,
                "empty name");
    CHECK_FAILS(ms_variables_add(variables, "stack", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(1), &index),
                MS_INVALID, "stack: name is taken");
    CHECK_FAILS(ms_variables_add(variables, "zero", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_2(3, 0), &index),
                MS_INVALID, "zero: shape [3,0]");
    ck_assert_int_eq(index, -1);
    ck_assert_int_eq(ms_variables_find(variables, "wide"), wide);
    ck_assert_int_eq(ms_variables_find(variables, "zero"), -1);
    ck_assert_int_eq(ms_variables_count(variables), 5);
    char name[16];
    for (int i = 0; i < 100; i++) { /* the table grows */
        snprintf(name, sizeof name, "v%d", i);
        CHECK_OK(ms_variables_add(variables, name, MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(i + 1), &index));
        ck_assert_int_eq(ms_variables_find(variables, name), index);
    }
    ck_assert_str_eq(ms_variables_get(variables, stack)->name, "stack");
}
END_TEST

START_TEST(equal_views_are_one_tensor) {
    ms_tensor slice = ms_view_slice(graph, stack, 1);
    ck_assert_int_eq(slice, ms_view(graph, stack, 12, ms_shape_2(4, 3)));
    ck_assert_int_eq(ms_view_rows(graph, stack, 1, 1, 2), ms_view(graph, stack, 15, ms_shape_2(2, 3)));
    ck_assert_int_ne(slice, ms_view(graph, stack, 12, ms_shape_2(3, 4)));
    ck_assert_int_eq(ms_view_all(graph, matrix), ms_view(graph, matrix, 0, ms_shape_2(4, 3)));
    CHECK_OK(ms_graph_status(graph));
    ck_assert_int_eq(ms_graph_tensor(graph, slice)->producer, -1);
    ck_assert_int_eq(ms_graph_tensor(graph, slice)->offset, 12);
}
END_TEST

START_TEST(views_stay_inside) {
    ck_assert_int_eq(ms_view(graph, stack, 20, ms_shape_1(5)), MS_NO_TENSOR);
    CHECK_FAILS(ms_graph_status(graph), MS_INVALID, "view of stack [2,4,3]: elements from 20 in shape [5]");
}
END_TEST

START_TEST(the_first_error_stays) {
    ms_tensor x = ms_view_all(graph, matrix),
              bad = ms_matmul(graph, x, x, MS_NO_TENSOR, &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32});
    ck_assert_int_eq(bad, MS_NO_TENSOR);
    int n_nodes = ms_graph_n_nodes(graph);
    ms_tensor nested = ms_relu2(graph, ms_add(graph, bad, x)); /* no new error */
    ck_assert_int_eq(nested, MS_NO_TENSOR);
    ck_assert_int_eq(ms_view_all(graph, wide), MS_NO_TENSOR);
    ms_tensor gate, up;
    ms_swiglu_grad(graph, x, x, x, &gate, &up);
    ck_assert_int_eq(gate, MS_NO_TENSOR);
    ck_assert_int_eq(up, MS_NO_TENSOR);
    ck_assert_int_eq(ms_graph_n_nodes(graph), n_nodes);
    CHECK_FAILS(ms_graph_status(graph), MS_INVALID, "matmul: [4,3] times [4,3] does not fit");
}
END_TEST

START_TEST(errors_name_the_layer) {
    ms_graph_set_layer(graph, 7);
    ms_add(graph, ms_view_all(graph, matrix), ms_view_all(graph, wide));
    CHECK_FAILS(ms_graph_status(graph), MS_INVALID, "layer 7: axpby: input 1 is [3,5], must be [4,3]");
}
END_TEST

/* One wrong call per entry of the table, on a fresh graph each. */
static void wrong_call(int i) {
    ms_graph *g = graph;
    ms_tensor m = ms_view_all(g, matrix), w = ms_view_all(g, wide), v = ms_view_all(g, vector),
              s = ms_view_all(g, stack);
    ms_tensor index = ms_view_all(g, index_variable), out[4];
    ms_rope_attributes odd = {1, 3, 4, true, false, 0}, rope = {1, 4, 3, true, false, 0};
    ms_attention_attributes heads = {1, 4, 3, 2, 1, 1}, attention = {1, 4, 3, 3, 1, 1};
    ms_tied_cross_entropy_attributes loss = {1, 0, MS_DTYPE_F32};
    ms_random_normal_attributes random = {{1, -1}, 0, 0, -1, {2, {3, 0}}};
    const int64_t group_rows[] = {1, 2};
    ms_tensor six[6] = {m, m, m, m, m, m}, five[5] = {m, m, w, m, MS_NO_TENSOR};
    ms_ema_nesterov_attributes ema = {{1, -1}, true};
    ms_adamw_attributes adamw = {{1, -1}, 0, 0, 0, 0, {1, -1}, {1, -1}};
    /* clang-format off */
    switch (i) {
    case 0: ms_fill(g, 0, MS_DTYPE_F32, (ms_shape){5, {1, 1, 1, 1}}); break;
    case 1: ms_assign(g, m, ms_relu2(g, m)); break;
    case 2: ms_assign(g, w, m); break;
    case 3: ms_reshape(g, m, ms_shape_1(11)); break;
    case 4: ms_slice(g, m, 3, 2); break;
    case 5: ms_insert(g, m, w, 0); break;
    case 6: ms_cast(g, index, MS_DTYPE_F32); break;
    case 7: ms_embed(g, m, v, 1); break;
    case 8: ms_embed_grad(g, index, m, w, 3, 1); break;
    case 9: ms_mul(g, m, v); break;
    case 10: ms_relu2(g, index); break;
    case 11: ms_rms_norm(g, m, index, 0, &out[0], &out[1]); break;
    case 12: ms_rms_norm_grad(g, (const ms_tensor[]){m, v, v, m, MS_NO_TENSOR}, 0, &out[0], &out[1]); break;
    case 13: ms_add_rms_norm(g, (const ms_tensor[]){m, w, v}, 0, &out[0], &out[1], &out[2]); break;
    case 14: ms_qk_norm_rope(g, (const ms_tensor[]){m, w, MS_NO_TENSOR}, &odd, &out[0], &out[1]); break;
    case 15: ms_qk_norm_rope(g, (const ms_tensor[]){m, w, MS_NO_TENSOR}, &rope, &out[0], &out[1]); break;
    case 16: ms_matmul(g, v, m, MS_NO_TENSOR, &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32}); break;
    case 17: ms_matmul(g, m, w, m, &(ms_matmul_attributes){false, false, 1, 1, MS_DTYPE_F32}); break;
    case 18: ms_gram(g, v, false); break;
    case 19: ms_attention(g, (const ms_tensor[]){m, m, m}, &heads, &out[0], &out[1]); break;
    case 20: ms_attention_grad(g, six, &attention, out); break;
    case 21: ms_cross_entropy(g, w, index, &(ms_cross_entropy_attributes){1, MS_DTYPE_F32}, &out[0], &out[1]); break;
    case 22: ms_tied_cross_entropy(g, (const ms_tensor[]){m, m, index}, &loss, out); break;
    case 23: ms_sum_squares(g, m, 2, group_rows); break;
    case 24: ms_clip_factor(g, m, 1); break;
    case 25: ms_clip_factor(g, v, 0); break;
    case 26: ms_ema_nesterov(g, (const ms_tensor[]){m, m, v}, &ema, &out[0], &out[1]); break;
    case 27: ms_scale_by_inverse_norm(g, s, v, 1, 0); break;
    case 28: ms_adamw(g, five, &adamw, out); break;
    case 29: ms_random_normal(g, &random); break;
    case 30: ms_view_slice(g, stack, 2); break;
    case 31: ms_view_rows(g, matrix, 0, 0, 1); break;
    case 32: ms_assign(g, ms_view(g, stack, 0, ms_shape_1(6)), ms_view(g, stack, 4, ms_shape_1(6))); break;
    case 33: ms_attention_logit_max(g, m, w, &attention); break;
    case 34: ms_attention_logit_max(g, index, m, &attention); break;
    case 35: ms_insert_rows(g, m, w, index); break;
    case 36: ms_insert_rows(g, w, w, v); break;
    case 37: ms_cached_attention(g, (const ms_tensor[]){m, w, w, index}, &attention); break;
    case 38: ms_cached_attention(g, (const ms_tensor[]){ms_slice(g, m, 0, 3), m, m, index}, &attention); break;
    default: ms_view(g, 99, 0, ms_shape_1(1));
    }
    /* clang-format on */
}

static const char *const wrong_messages[] = {
    "fill: shape [1,1,1,1",
    "assign: the destination is not a view",
    "assign: input 0 is [3,5], must be [4,3]",
    "reshape: [4,3] to [11] changes the number of elements",
    "slice: rows 3 to 5 of [4,3]",
    "insert: input 1 is [3,5], must be [3,3]",
    "cast: i32 to f32",
    "embed: input 1 is f32, must be i32",
    "embed_grad: input 2 is [3,5], must be [3,3]",
    "mul: input 1 is [3], must be [4,3]",
    "relu2: input 0 is i32, must be f32",
    "rms_norm: input 1 is i32, must be f32",
    "rms_norm_grad: input 2 is [3], must be [4]",
    "add_rms_norm: input 1 is [3,5], must be [4,3]",
    "qk_norm_rope: 1 heads of size 3",
    "qk_norm_rope: 4 tokens are not whole sequences of 3",
    "matmul: [3] times [4,3] does not fit",
    "matmul: input 2 is [4,3], must be [4,5]",
    "gram: input 0 is [3], must have rank 2",
    "attention: batch 1, sequence 4, heads 3, kv heads 2",
    "attention_grad: input 4 is [4,3], must be [3,4]",
    "cross_entropy: input 1 is [4], must be [3]",
    "tied_cross_entropy: chunk of 0 tokens",
    "sum_squares: row groups hold 3 rows, the matrix has 4",
    "clip_factor: input 0 is [4,3], must have rank 1",
    "clip_factor: max norm 0 is not positive",
    "ema_nesterov: input 2 is [3], must be [2]",
    "scale_by_inverse_norm: sums of squares are [3] for 2 matrices",
    "adamw: input 2 is [3,5], must be [4,3]",
    "random_normal: shape [3,0]",
    "view of stack [2,4,3]: elements from 24",
    "view of matrix [4,3]",
    "assign: source and destination are parts of one variable that overlap by 2 of 6",
    "attention_logit_max: input 1 is [3,5], must be [4,3]",
    "attention_logit_max: input 0 is i32, must be f32",
    "insert_rows: input 1 is [3,5], must be [3,3]",
    "insert_rows: input 2 is f32, must be i32",
    "cached_attention: input 1 is [3,5], must be [4,3]",
    "cached_attention: input 3 is [4], must be [3]",
    "view: variable 99 of 5",
};

START_TEST(wrong_calls_name_op_and_shapes) {
    wrong_call(_i);
    CHECK_FAILS(ms_graph_status(graph), MS_INVALID, wrong_messages[_i]);
}
END_TEST

START_TEST(products_broadcast_a_single_matrix) {
    ms_tensor m = ms_view_all(graph, matrix), s = ms_view_all(graph, stack), w = ms_view_all(graph, wide);
    char text[64];
    const ms_tensor products[] = {
        ms_matmul(graph, s, w, MS_NO_TENSOR, &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32}),
        ms_matmul(graph, m, s, MS_NO_TENSOR, &(ms_matmul_attributes){true, false, 1, 0, MS_DTYPE_F32}),
        ms_matmul(graph, s, s, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32}),
        ms_matmul(graph, w, m, MS_NO_TENSOR, &(ms_matmul_attributes){true, true, 1, 0, MS_DTYPE_F32}),
        ms_gram(graph, s, true)};
    const char *const shapes[] = {"[2,4,5]", "[2,3,3]", "[2,4,4]", "[5,4]", "[2,3,3]"};
    CHECK_OK(ms_graph_status(graph));
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(ms_shape_text(&ms_graph_tensor(graph, products[i])->shape, text, sizeof text), shapes[i]);
}
END_TEST

START_TEST(every_op_is_found_by_its_name) {
    for (int i = 0; i < MS_OP_COUNT; i++) {
        const ms_op_info *info = ms_op_get((ms_op)i);
        ck_assert_int_eq(ms_op_find(info->name), i);
        ck_assert_int_le(info->max_inputs, MS_MAX_INPUTS);
        ck_assert_int_le(info->n_outputs, MS_MAX_OUTPUTS);
        for (int k = 0; k < MS_MAX_OUTPUTS; k++)
            for (int j = 0; j < MS_MAX_INPUTS; j++)
                if (ms_op_may_alias((ms_op)i, k, j)) ck_assert(k < info->n_outputs && j < info->max_inputs);
    }
    ck_assert_int_eq(ms_op_find("no_such_op"), MS_OP_COUNT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/shape");
    TCase *tcase = tcase_create("shape");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, variables_have_unique_valid_names_and_shapes);
    tcase_add_test(tcase, equal_views_are_one_tensor);
    tcase_add_test(tcase, views_stay_inside);
    tcase_add_test(tcase, the_first_error_stays);
    tcase_add_test(tcase, errors_name_the_layer);
    tcase_add_loop_test(tcase, wrong_calls_name_op_and_shapes, 0,
                        (int)(sizeof wrong_messages / sizeof *wrong_messages));
    tcase_add_test(tcase, products_broadcast_a_single_matrix);
    tcase_add_test(tcase, every_op_is_found_by_its_name);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
