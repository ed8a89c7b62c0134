/* Storage in bf16: the dtypes that shape rules accept and give, those of gradients, matmuls that keep their f32
   result, costs and plans. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plan.h"
#include "tests/ir/support.h"
#include "tests/support/suite.h"

#define B MS_DTYPE_BF16
#define F MS_DTYPE_F32
#define I MS_DTYPE_I32

typedef struct fixture {
    ms_variables *variables;
    ms_graph *graph;
    ms_tensor x, y, v, number;        /* bf16 [4,4] three times, [1] */
    ms_tensor w, table, gain, scalar; /* f32 [4,4] twice, [4], [1] */
    ms_tensor index;                  /* i32 [4] */
} fixture;

static ms_tensor input(fixture *f, const char *name, ms_dtype dtype, ms_shape shape) {
    int index;
    CHECK_OK(ms_variables_add(f->variables, name, MS_VARIABLE_INPUT, dtype, shape, &index));
    return ms_view_all(f->graph, index);
}

static fixture create(void) {
    fixture f;
    CHECK_OK(ms_variables_create(&f.variables));
    CHECK_OK(ms_graph_create(f.variables, -1, &f.graph));
    f.x = input(&f, "x", B, ms_shape_2(4, 4));
    f.y = input(&f, "y", B, ms_shape_2(4, 4));
    f.w = input(&f, "w", F, ms_shape_2(4, 4));
    f.table = input(&f, "table", F, ms_shape_2(4, 4));
    f.v = input(&f, "v", B, ms_shape_2(4, 4));
    f.gain = input(&f, "gain", F, ms_shape_1(4));
    f.scalar = input(&f, "scalar", F, ms_shape_1(1));
    f.number = input(&f, "number", B, ms_shape_1(1));
    f.index = input(&f, "index", I, ms_shape_1(4));
    return f;
}

static void destroy(fixture *f) {
    ms_graph_destroy(f->graph);
    ms_variables_destroy(f->variables);
}

static ms_dtype dtype_of(const fixture *f, ms_tensor tensor) { return ms_graph_tensor(f->graph, tensor)->dtype; }

static const ms_node *producer(const ms_graph *graph, ms_tensor tensor) {
    return ms_graph_node(graph, ms_graph_tensor(graph, tensor)->producer);
}

/* ---- shape rules ---- */

/* One row per op with data in bf16: dtypes and shapes of the inputs, dtypes of the outputs. */
typedef struct rule_case {
    ms_op op;
    ms_dtype in[6];
    ms_shape shape[6]; /* rank 0: no further input */
    ms_dtype out[4];
} rule_case;

#define M                                                                                                              \
    {                                                                                                                  \
        2, { 4, 4 }                                                                                                    \
    } /* a matrix [4,4] */
#define R                                                                                                              \
    {                                                                                                                  \
        1, { 4 }                                                                                                       \
    } /* a row [4] */
#define S                                                                                                              \
    {                                                                                                                  \
        1, { 1 }                                                                                                       \
    } /* a number */
#define COLUMN                                                                                                         \
    {                                                                                                                  \
        2, { 4, 1 }                                                                                                    \
    }
#define LINE                                                                                                           \
    {                                                                                                                  \
        2, { 1, 4 }                                                                                                    \
    }
static const rule_case rules[] = {
    {MS_OP_RESHAPE, {B}, {M}, {B}},
    {MS_OP_SLICE, {B}, {M}, {B}},
    {MS_OP_INSERT, {B, B}, {M, LINE}, {B}},
    {MS_OP_INSERT_ROWS, {B, B, I}, {M, M, R}, {B}},
    {MS_OP_EMBED_GRAD, {I, B, F}, {R, M, M}, {F}},
    {MS_OP_AXPBY, {B, B}, {M, M}, {B}},
    {MS_OP_MUL, {B, B}, {M, M}, {B}},
    {MS_OP_MUL, {B, F}, {M, S}, {B}},
    {MS_OP_MUL, {B, B}, {M, S}, {B}},
    {MS_OP_RELU2, {B}, {M}, {B}},
    {MS_OP_SAME_SIGN, {B, B}, {M, M}, {B}},
    {MS_OP_MAXIMUM, {B, B}, {M, M}, {B}},
    {MS_OP_RELU2_GRAD, {B, B}, {M, M}, {B}},
    {MS_OP_SWIGLU, {B, B}, {M, M}, {B}},
    {MS_OP_SWIGLU_GRAD, {B, B, B}, {M, M, M}, {B, B}},
    {MS_OP_RMS_NORM, {B, F}, {M, R}, {B, F}},
    {MS_OP_RMS_NORM_GRAD, {B, F, F, B, B}, {M, R, R, M, M}, {B, F}},
    {MS_OP_ADD_RMS_NORM, {B, B, F}, {M, M, R}, {B, B, F}},
    {MS_OP_QK_NORM_ROPE, {B, F, F}, {M, M, R}, {B, F}},
    {MS_OP_QK_NORM_ROPE_GRAD, {B, F, F, B, F}, {M, M, COLUMN, M, R}, {B, F}},
    {MS_OP_MATMUL, {B, B}, {M, M}, {F}},
    {MS_OP_MATMUL, {B, F, F}, {M, M, M}, {F}},
    {MS_OP_MATMUL, {B, B, B}, {M, M, M}, {B}},
    {MS_OP_MATMUL, {F, F}, {M, M}, {B}},
    {MS_OP_GRAM, {B}, {M}, {F}},
    {MS_OP_GRAM, {F}, {M}, {B}},
    {MS_OP_ATTENTION, {B, B, B}, {M, M, M}, {B, F}},
    {MS_OP_ATTENTION_GRAD, {B, B, B, B, F, B}, {M, M, M, M, LINE, M}, {B, B, B}},
    {MS_OP_ATTENTION_LOGIT_MAX, {B, B}, {M, M}, {F}},
    {MS_OP_CACHED_ATTENTION, {B, B, B, I}, {M, M, M, R}, {B}},
    {MS_OP_TIED_CROSS_ENTROPY, {B, B, I}, {M, M, R}, {F, B, F, F}},
    {MS_OP_SUM, {B}, {M}, {F}},
    {MS_OP_SUM_SQUARES, {B}, {M}, {F}},
    {MS_OP_SCALE_BY_INVERSE_NORM, {B, F}, {M, S}, {B}},
};
#undef M
#undef R
#undef S
#undef COLUMN
#undef LINE

static ms_attributes attributes_of(const rule_case *rule) {
    ms_attributes a;
    memset(&a, 0, sizeof a);
    switch (rule->op) {
    case MS_OP_RESHAPE:
        a.shape.shape = ms_shape_1(16);
        break;
    case MS_OP_SLICE:
    case MS_OP_INSERT:
        a.slice = (ms_slice_attributes){2, 1};
        break;
    case MS_OP_EMBED_GRAD:
        a.embed = (ms_embed_attributes){1, 4};
        break;
    case MS_OP_QK_NORM_ROPE:
    case MS_OP_QK_NORM_ROPE_GRAD:
        a.rope = (ms_rope_attributes){1, 4, 4, true, true, 1e-6f};
        break;
    case MS_OP_MATMUL:
        a.matmul = (ms_matmul_attributes){false, false, 1, 1, rule->out[0]};
        break;
    case MS_OP_GRAM:
        a.gram = (ms_gram_attributes){false, rule->out[0]};
        break;
    case MS_OP_ATTENTION:
    case MS_OP_ATTENTION_LOGIT_MAX:
    case MS_OP_ATTENTION_GRAD:
    case MS_OP_CACHED_ATTENTION:
        a.attention = (ms_attention_attributes){1, 4, 1, 1, 4, 0.5f};
        break;
    case MS_OP_TIED_CROSS_ENTROPY:
        a.tied_cross_entropy = (ms_tied_cross_entropy_attributes){1, 4, B};
        break;
    default:
        break;
    }
    return a;
}

static ms_status infer(const rule_case *rule, ms_tensor_info *out) {
    ms_tensor_info infos[6];
    const ms_tensor_info *in[6];
    int n = 0;
    memset(infos, 0, sizeof infos);
    memset(out, 0, MS_MAX_OUTPUTS * sizeof *out);
    for (; n < 6 && rule->shape[n].rank > 0; n++) {
        infos[n] = (ms_tensor_info){.dtype = rule->in[n], .shape = rule->shape[n], .producer = -1, .variable = n};
        in[n] = &infos[n];
    }
    ms_attributes attributes = attributes_of(rule);
    return ms_op_infer(rule->op, in, n, &attributes, out);
}

START_TEST(rules_take_and_give_bf16) {
    const rule_case *rule = &rules[_i];
    ms_tensor_info out[MS_MAX_OUTPUTS];
    CHECK_OK(infer(rule, out));
    for (int k = 0; k < ms_op_get(rule->op)->n_outputs; k++)
        ck_assert_msg(out[k].dtype == rule->out[k], "%s: output %d is %s", ms_op_get(rule->op)->name, k,
                      ms_dtype_name(out[k].dtype));
}
END_TEST

/* Any one input in the other dtype is refused, but for the operands of matmuls and a scalar factor. */
START_TEST(rules_refuse_mixtures) {
    const rule_case *rule = &rules[_i];
    ms_tensor_info out[MS_MAX_OUTPUTS];
    int n = 0;
    while (n < 6 && rule->shape[n].rank > 0) n++;
    for (int i = 0; i < n; i++) {
        rule_case mixed = *rule;
        mixed.in[i] = mixed.in[i] == B ? F : B;
        bool is_gemm = rule->op == MS_OP_MATMUL || rule->op == MS_OP_GRAM;
        bool is_alone = n == 1 || rule->op == MS_OP_SCALE_BY_INVERSE_NORM || rule->op == MS_OP_EMBED_GRAD ||
                        rule->op == MS_OP_RMS_NORM || rule->op == MS_OP_QK_NORM_ROPE;
        bool is_scalar = rule->op == MS_OP_MUL && rule->shape[1].rank == 1;
        bool is_data = rule->op == MS_OP_EMBED_GRAD ? i == 1 : i == 0;
        bool allowed = (is_gemm && i < 2) || (is_alone && is_data) || (is_scalar && i == 1) ||
                       (is_scalar && rule->in[1] == F && i == 0);
        if (allowed)
            CHECK_OK(infer(&mixed, out));
        else
            ck_assert_msg(infer(&mixed, out) == MS_INVALID, "%s takes input %d in %s", ms_op_get(rule->op)->name, i,
                          ms_dtype_name(mixed.in[i]));
    }
}
END_TEST

START_TEST(other_ops_take_f32_alone) {
    fixture f = create();
    ms_tensor out[3];
    ms_embed(f.graph, f.x, f.index, 1);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "embed: input 0 is bf16, must be f32");
    destroy(&f);
    f = create();
    ms_cross_entropy(f.graph, f.x, f.index, &(ms_cross_entropy_attributes){1, F}, &out[0], &out[1]);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "cross_entropy: input 0 is bf16, must be f32");
    destroy(&f);
    f = create();
    ms_ema_nesterov_attributes ema = {ms_constant(0.9f), true};
    ms_ema_nesterov(f.graph, (const ms_tensor[]){f.w, f.x, MS_NO_TENSOR}, &ema, &out[0], &out[1]);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "ema_nesterov: input 1 is bf16, must be f32");
    destroy(&f);
    f = create();
    ms_matmul_attributes attributes = {false, false, 1, 1, I};
    ms_matmul(f.graph, f.x, f.w, MS_NO_TENSOR, &attributes);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "matmul: a result in i32, must be f32 or bf16");
    destroy(&f);
    f = create();
    ms_add(f.graph, f.index, f.index);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "axpby: input 0 is i32, must be f32 or bf16");
    destroy(&f);
    f = create();
    ms_assign(f.graph, ms_relu2(f.graph, f.w), f.x);
    CHECK_FAILS(ms_graph_status(f.graph), MS_INVALID, "assign: input 0 is f32, must be bf16");
    destroy(&f);
}
END_TEST

/* ---- gradients ---- */

/* A scalar in which x, y and number take part through every op with data in bf16 that has a gradient. */
static ms_tensor loss_of_all(fixture *f) {
    ms_graph *g = f->graph;
    ms_rope_attributes rope = {1, 4, 4, true, true, 1e-6f};
    ms_attention_attributes attention = {1, 4, 1, 1, 4, 0.5f};
    ms_matmul_attributes to_bf16 = {false, true, 2, 3, B}, to_f32 = {true, false, 1, 0.5f, F};
    ms_tensor a, b, unused;
    ms_rms_norm(g, f->x, f->gain, 1e-6f, &a, &unused);
    ms_add_rms_norm(g, (const ms_tensor[]){a, f->y, f->gain}, 1e-6f, &a, &b, &unused);
    ms_qk_norm_rope(g, (const ms_tensor[]){b, f->table, f->gain}, &rope, &b, &unused);
    ms_attention(g, (const ms_tensor[]){a, b, f->y}, &attention, &a, &unused);
    a = ms_matmul(g, a, f->w, f->x, &to_bf16);
    a = ms_swiglu(g, ms_relu2(g, a), ms_mul(g, ms_mul(g, ms_mul(g, a, f->y), f->scalar), f->number));
    a = ms_insert(g, a, ms_slice(g, ms_reshape(g, f->x, ms_shape_2(4, 4)), 1, 2), 0);
    b = ms_matmul(g, a, f->y, ms_cast(g, f->x, F), &to_f32);
    ms_tensor loss =
        ms_add(g, ms_sum(g, a), ms_sum_squares(g, ms_axpby(g, ms_constant(2), a, ms_constant(1), f->x), 0, NULL));
    return ms_mul(g, ms_add(g, loss, ms_sum(g, b)), f->scalar);
}

START_TEST(gradients_have_the_dtype_of_their_tensor) {
    for (int recompute = 0; recompute < 2; recompute++) {
        fixture f = create();
        ms_graph_set_layer(f.graph, 0);
        ms_tensor loss = loss_of_all(&f), wrt[] = {f.x, f.y, f.w, f.gain, f.scalar, f.number}, gradients[6];
        ms_gradient_options options = {recompute != 0};
        CHECK_OK(ms_gradients(f.graph, loss, wrt, 6, &options, gradients));
        for (int i = 0; i < 6; i++)
            ck_assert_msg(dtype_of(&f, gradients[i]) == dtype_of(&f, wrt[i]), "gradient %d is %s", i,
                          ms_dtype_name(dtype_of(&f, gradients[i])));
        destroy(&f);
    }
}
END_TEST

/* y = x W^T through a copy of W in bf16, n_uses times. */
static ms_tensor loss_through_copy(fixture *f, int n_uses) {
    ms_matmul_attributes attributes = {false, true, 1, 0, B};
    ms_tensor y = f->x, copy = ms_cast(f->graph, f->w, B);
    for (int i = 0; i < n_uses; i++) y = ms_matmul(f->graph, y, copy, MS_NO_TENSOR, &attributes);
    return ms_sum_squares(f->graph, y, 0, NULL);
}

/* The finished graph that assigns `value` to w. */
static ms_graph *finish_with(fixture *f, ms_tensor value) {
    ms_graph *finished;
    ms_assign(f->graph, value, f->w);
    CHECK_OK(ms_graph_finish(f->graph, &finished));
    return finished;
}

/* What the last assignment of a finished graph assigns. */
static const ms_node *stored_node(const ms_graph *finished) {
    return producer(finished, ms_graph_node(finished, ms_graph_n_nodes(finished) - 1)->inputs[0]);
}

START_TEST(weight_gradients_are_formed_in_f32) {
    for (int n_uses = 1; n_uses <= 3; n_uses++) {
        fixture f = create();
        ms_tensor loss = loss_through_copy(&f, n_uses), gradient;
        CHECK_OK(ms_gradients(f.graph, loss, &f.w, 1, NULL, &gradient));
        ms_graph *finished = finish_with(&f, gradient);
        ck_assert_int_eq(count_op(finished, MS_OP_CAST), 1); /* the copy */
        const ms_node *node = stored_node(finished);
        for (int i = 0; i < n_uses; i++) { /* accumulated in f32 too */
            ck_assert_int_eq(node->op, MS_OP_MATMUL);
            ck_assert_int_eq(node->attributes.matmul.dtype, F);
            ck_assert_int_eq(node->n_inputs, i == n_uses - 1 ? 2 : 3);
            if (node->n_inputs == 3) node = producer(finished, node->inputs[2]);
        }
        ms_graph_destroy(finished);
        destroy(&f);
    }
}
END_TEST

/* A gradient that arrives in f32 at a bf16 copy goes to the original unrounded; rounded where the copy's own is
   wanted. */
START_TEST(the_head_gradient_reaches_the_weight_unrounded) {
    for (int wants_copy = 0; wants_copy < 2; wants_copy++) {
        fixture f = create();
        ms_tied_cross_entropy_attributes attributes = {0.25f, 4, MS_DTYPE_F32};
        ms_tensor copy = ms_cast(f.graph, f.w, B), wrt[] = {f.w, copy}, gradients[2], out[4];
        ms_tied_cross_entropy(f.graph, (const ms_tensor[]){f.x, copy, f.index}, &attributes, out);
        CHECK_OK(ms_gradients(f.graph, out[0], wrt, 1 + wants_copy, NULL, gradients));
        ck_assert_int_eq(dtype_of(&f, gradients[0]), F);
        if (wants_copy) ck_assert_int_eq(dtype_of(&f, gradients[1]), B);
        ms_graph *finished = finish_with(&f, gradients[0]);
        ck_assert_int_eq(count_op(finished, MS_OP_CAST), wants_copy ? 3 : 1);
        ck_assert_int_eq(stored_node(finished)->op, wants_copy ? MS_OP_CAST : MS_OP_MATMUL);
        ms_graph_destroy(finished);
        destroy(&f);
    }
}
END_TEST

/* ---- matmuls that keep their f32 result ---- */

START_TEST(a_matmul_used_in_bf16_is_rounded) {
    fixture f = create();
    ms_matmul_attributes attributes = {false, false, 1, 1, B};
    ms_tensor first = ms_matmul(f.graph, f.x, f.y, MS_NO_TENSOR, &attributes);
    ms_tensor second = ms_matmul(f.graph, f.x, f.x, first, &attributes);
    ms_assign(f.graph, ms_relu2(f.graph, first), f.v); /* another use of the first */
    ms_graph *finished = finish_with(&f, ms_cast(f.graph, second, F));
    const ms_node *last = stored_node(finished);
    ck_assert_int_eq(last->op, MS_OP_MATMUL);
    ck_assert_int_eq(last->attributes.matmul.dtype, F);
    const ms_node *widened = producer(finished, last->inputs[2]);
    ck_assert_int_eq(widened->op, MS_OP_CAST);
    ck_assert_int_eq(producer(finished, widened->inputs[0])->attributes.matmul.dtype, B);
    ck_assert_int_eq(count_op(finished, MS_OP_CAST), 1);
    ms_graph_destroy(finished);
    destroy(&f);
}
END_TEST

START_TEST(other_roundings_stay) {
    fixture f = create();
    ms_matmul_attributes attributes = {false, false, 1, 1, B};
    ms_tensor rounded = ms_cast(f.graph, ms_cast(f.graph, ms_relu2(f.graph, f.w), B), F);
    ms_assign(f.graph, ms_matmul(f.graph, f.x, f.y, MS_NO_TENSOR, &attributes), f.v); /* assigned: a use in bf16 */
    ms_graph *finished = finish_with(&f, rounded);
    ck_assert_int_eq(count_op(finished, MS_OP_CAST), 2);
    for (int i = 0; i < ms_graph_n_nodes(finished); i++) {
        const ms_node *node = ms_graph_node(finished, i);
        if (node->op == MS_OP_MATMUL) ck_assert_int_eq(node->attributes.matmul.dtype, B);
    }
    ms_graph_destroy(finished);
    destroy(&f);
}
END_TEST

/* ---- costs and plans ---- */

START_TEST(costs_count_two_bytes) {
    fixture f = create();
    ms_matmul_attributes attributes = {false, false, 1, 0, F};
    ms_tensor y = ms_matmul(f.graph, f.x, f.y, MS_NO_TENSOR, &attributes), z = ms_add(f.graph, f.x, f.y);
    CHECK_OK(ms_graph_status(f.graph));
    ck_assert_double_eq(ms_node_cost(f.graph, producer(f.graph, y)).bytes, 16 * (2 + 2 + 4));
    ck_assert_double_eq(ms_node_cost(f.graph, producer(f.graph, z)).bytes, 16 * (2 + 2 + 2));
    destroy(&f);
}
END_TEST

/* A chain in place in bf16, between casts, which never share storage. */
START_TEST(plans_take_two_bytes_and_share_within_a_dtype) {
    for (int oracle = 0; oracle < 2; oracle++) {
        fixture f = create();
        ms_plan_options options = {.f32_bytes = oracle ? 8 : 4, .alignment_bytes = 32};
        ms_tensor narrow = ms_cast(f.graph, ms_relu2(f.graph, f.w), B), squared = ms_relu2(f.graph, narrow);
        ms_tensor sum = ms_add(f.graph, squared, f.x), wide = ms_cast(f.graph, sum, F);
        ms_graph *finished = finish_with(&f, ms_relu2(f.graph, wide));
        ms_plan plan;
        CHECK_OK(ms_plan_init(finished, &options, &plan));
        ck_assert_uint_eq(plan.arena_bytes, 16 * options.f32_bytes + 32); /* the first result, and the bf16 chain */
        ms_plan_finish(&plan);
        ms_graph_destroy(finished);
        destroy(&f);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/bf16");
    TCase *tcase = tcase_create("bf16");
    int n_rules = (int)(sizeof rules / sizeof *rules);
    tcase_add_loop_test(tcase, rules_take_and_give_bf16, 0, n_rules);
    tcase_add_loop_test(tcase, rules_refuse_mixtures, 0, n_rules);
    tcase_add_test(tcase, other_ops_take_f32_alone);
    tcase_add_test(tcase, gradients_have_the_dtype_of_their_tensor);
    tcase_add_test(tcase, weight_gradients_are_formed_in_f32);
    tcase_add_test(tcase, the_head_gradient_reaches_the_weight_unrounded);
    tcase_add_test(tcase, a_matmul_used_in_bf16_is_rounded);
    tcase_add_test(tcase, other_roundings_stay);
    tcase_add_test(tcase, costs_count_two_bytes);
    tcase_add_test(tcase, plans_take_two_bytes_and_share_within_a_dtype);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
