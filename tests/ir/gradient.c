/* The structure of backward passes: accumulation, recomputation, refusals.  Values are tested on devices. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ir/support.h"
#include "tests/support/suite.h"

typedef struct fixture {
    ms_variables *variables;
    ms_graph *graph;
    ms_tensor w, x, scalar, index, stack; /* [4,4], [4,4], [1], i32 [4], [2,4,4] */
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
    f.w = input(&f, "w", MS_DTYPE_F32, ms_shape_2(4, 4));
    f.x = input(&f, "x", MS_DTYPE_F32, ms_shape_2(4, 4));
    f.scalar = input(&f, "scalar", MS_DTYPE_F32, ms_shape_1(1));
    f.index = input(&f, "index", MS_DTYPE_I32, ms_shape_1(4));
    f.stack = input(&f, "stack", MS_DTYPE_F32, ms_shape_3(2, 4, 4));
    return f;
}

static void destroy(fixture *f) {
    ms_graph_destroy(f->graph);
    ms_variables_destroy(f->variables);
}

static const ms_node *producer(const fixture *f, ms_tensor tensor) {
    int i_node = ms_graph_tensor(f->graph, tensor)->producer;
    return i_node < 0 ? NULL : ms_graph_node(f->graph, i_node);
}

START_TEST(matmuls_accumulate_in_matmul) {
    fixture f = create();
    ms_tensor y = f.x, dw;
    for (int i = 0; i < 3; i++)
        y = ms_matmul(f.graph, y, f.w, MS_NO_TENSOR, &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    ms_tensor loss = ms_sum_squares(f.graph, y, 0, NULL);
    CHECK_OK(ms_gradients(f.graph, loss, &f.w, 1, NULL, &dw));
    ck_assert_int_eq(count_op(f.graph, MS_OP_MATMUL), 3 + 3 + 2); /* dw three times, dx for the later two */
    ms_tensor sum = dw;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(producer(&f, sum)->op, MS_OP_MATMUL);
        ck_assert_int_eq(producer(&f, sum)->n_inputs, 3);
        ck_assert_float_eq(producer(&f, sum)->attributes.matmul.beta, 1);
        sum = producer(&f, sum)->inputs[2];
    }
    ck_assert_int_eq(producer(&f, sum)->n_inputs, 2);
    ck_assert_int_eq(count_op(f.graph, MS_OP_AXPBY), 1); /* 2 y, of sum_squares: nothing is added apart */
    destroy(&f);
}
END_TEST

START_TEST(the_norm_takes_the_residual_gradient) {
    fixture f = create();
    ms_tensor gain = input(&f, "gain", MS_DTYPE_F32, ms_shape_1(4)), sum, y, rstd, gradients[3];
    ms_add_rms_norm(f.graph, (const ms_tensor[]){f.x, f.w, gain}, 1e-6f, &sum, &y, &rstd);
    ms_tensor z = ms_matmul(f.graph, y, f.w, sum, &(ms_matmul_attributes){false, false, 1, 1, MS_DTYPE_F32});
    ms_tensor wrt[] = {f.x, f.w, gain};
    CHECK_OK(ms_gradients(f.graph, ms_sum(f.graph, z), wrt, 3, NULL, gradients));
    const ms_node *norm = producer(&f, gradients[0]);
    ck_assert_int_eq(norm->op, MS_OP_RMS_NORM_GRAD);
    ck_assert_int_eq(norm->n_inputs, 5);
    ck_assert_int_eq(producer(&f, norm->inputs[4])->op, MS_OP_FILL); /* what z sends to the sum directly */
    ck_assert_int_eq(norm->inputs[0], sum);
    ck_assert_int_eq(gradients[2], norm->outputs[1]);
    ck_assert_int_eq(producer(&f, gradients[1])->op, MS_OP_AXPBY); /* the matmul's part first, then the norm's */
    ck_assert_int_eq(producer(&f, gradients[1])->inputs[1], gradients[0]);
    destroy(&f);
}
END_TEST

/* The tied embedding: dE of the loss first, into which embed_grad scatters. */
START_TEST(the_tied_embedding_has_one_gradient) {
    fixture f = create();
    ms_tensor h = ms_embed(f.graph, f.w, f.index, 2), out[4], gradient;
    ms_tied_cross_entropy_attributes attributes = {0.25f, 2, MS_DTYPE_F32};
    ms_tied_cross_entropy(f.graph, (const ms_tensor[]){h, f.w, f.index}, &attributes, out);
    CHECK_OK(ms_gradients(f.graph, out[0], &f.w, 1, NULL, &gradient));
    const ms_node *scatter = producer(&f, gradient);
    ck_assert_int_eq(scatter->op, MS_OP_EMBED_GRAD);
    ck_assert_int_eq(scatter->inputs[1], out[1]);
    ck_assert_int_eq(scatter->inputs[2], out[2]);
    ck_assert_int_eq(scatter->attributes.embed.rows, 4);
    ck_assert_float_eq(scatter->attributes.embed.scale, 2);
    destroy(&f);
}
END_TEST

START_TEST(a_scaled_tied_loss_scales_its_gradients) {
    fixture f = create();
    ms_tensor out[4], gradient;
    ms_tied_cross_entropy_attributes attributes = {0.25f, 2, MS_DTYPE_F32};
    ms_tied_cross_entropy(f.graph, (const ms_tensor[]){f.x, f.w, f.index}, &attributes, out);
    ms_tensor loss = ms_axpby(f.graph, ms_constant(0.5f), out[0], ms_constant(0), MS_NO_TENSOR);
    CHECK_OK(ms_gradients(f.graph, loss, &f.x, 1, NULL, &gradient));
    ck_assert_int_eq(producer(&f, gradient)->op, MS_OP_AXPBY);
    ck_assert_int_eq(producer(&f, gradient)->inputs[0], out[1]);
    ck_assert_float_eq(producer(&f, gradient)->attributes.axpby.a.constant, 0.5f);
    destroy(&f);
}
END_TEST

START_TEST(the_losses_of_the_tied_tokens_have_no_gradient) {
    fixture f = create();
    ms_tensor out[4], gradient;
    ms_tied_cross_entropy_attributes attributes = {0.25f, 2, MS_DTYPE_F32};
    ms_tied_cross_entropy(f.graph, (const ms_tensor[]){f.x, f.w, f.index}, &attributes, out);
    CHECK_FAILS(ms_gradients(f.graph, ms_sum(f.graph, out[3]), &f.x, 1, NULL, &gradient), MS_UNSUPPORTED,
                "tied_cross_entropy: nothing is known of the gradient through output 3");
    destroy(&f);
}
END_TEST

START_TEST(cross_entropy_serves_a_constant_times_the_sum) {
    fixture f = create();
    ms_tensor losses, dlogits, gradient;
    ms_cross_entropy(f.graph, f.x, f.index, &(ms_cross_entropy_attributes){0.25f, MS_DTYPE_F32}, &losses, &dlogits);
    ms_tensor sum = ms_sum(f.graph, losses);
    ms_tensor mean = ms_axpby(f.graph, ms_constant(0.25f), sum, ms_constant(0), MS_NO_TENSOR);
    CHECK_OK(ms_gradients(f.graph, mean, &f.x, 1, NULL, &gradient));
    ck_assert_int_eq(gradient, dlogits);
    CHECK_OK(ms_gradients(f.graph, sum, &f.x, 1, NULL, &gradient)); /* 1 / 0.25 times as large */
    ck_assert_int_eq(producer(&f, gradient)->inputs[0], dlogits);
    ck_assert_float_eq(producer(&f, gradient)->attributes.axpby.a.constant, 4);
    ms_tensor weighted = ms_sum_squares(f.graph, losses, 0, NULL);
    CHECK_FAILS(ms_gradients(f.graph, weighted, &f.x, 1, NULL, &gradient), MS_UNSUPPORTED, "constant * sum(losses)");
    ck_assert_int_eq(gradient, MS_NO_TENSOR);
    destroy(&f);
}
END_TEST

START_TEST(a_scalar_factor_gets_a_sum) {
    fixture f = create();
    ms_tensor y = ms_mul(f.graph, f.x, f.scalar), gradients[2], wrt[] = {f.scalar, f.x};
    CHECK_OK(ms_gradients(f.graph, ms_sum_squares(f.graph, y, 0, NULL), wrt, 2, NULL, gradients));
    ck_assert_int_eq(producer(&f, gradients[0])->op, MS_OP_SUM);
    ck_assert_int_eq(producer(&f, gradients[1])->op, MS_OP_MUL);
    destroy(&f);
}
END_TEST

START_TEST(a_shared_matrix_sums_over_the_stack) {
    fixture f = create();
    ms_tensor y = ms_matmul(f.graph, f.w, f.stack, MS_NO_TENSOR,
                            &(ms_matmul_attributes){true, false, 1, 0, MS_DTYPE_F32}),
              gradients[2];
    ms_tensor wrt[] = {f.w, f.stack};
    CHECK_OK(ms_gradients(f.graph, ms_sum_squares(f.graph, y, 0, NULL), wrt, 2, NULL, gradients));
    ms_shape w = ms_graph_tensor(f.graph, gradients[0])->shape, stack = ms_graph_tensor(f.graph, gradients[1])->shape;
    ck_assert(ms_shape_equal(&w, &ms_graph_tensor(f.graph, f.w)->shape));
    ck_assert(ms_shape_equal(&stack, &ms_graph_tensor(f.graph, f.stack)->shape));
    ck_assert_int_eq(count_op(f.graph, MS_OP_MATMUL), 1 + 2 + 1);
    destroy(&f);
}
END_TEST

START_TEST(independent_tensors_have_no_gradient) {
    fixture f = create();
    ms_tensor loss = ms_sum(f.graph, f.x), gradients[3], wrt[] = {f.w, f.x, f.index};
    CHECK_OK(ms_gradients(f.graph, loss, wrt, 3, NULL, gradients));
    ck_assert_int_eq(gradients[0], MS_NO_TENSOR);
    ck_assert_int_eq(producer(&f, gradients[1])->op, MS_OP_FILL);
    ck_assert_int_eq(gradients[2], MS_NO_TENSOR);
    destroy(&f);
}
END_TEST

START_TEST(refusals_name_the_reason) {
    fixture f = create();
    ms_tensor gradient, sum = ms_sum(f.graph, f.x), missing = 99;
    CHECK_FAILS(ms_gradients(f.graph, f.x, &f.w, 1, NULL, &gradient), MS_INVALID, "the loss is f32 [4,4]");
    CHECK_FAILS(ms_gradients(f.graph, sum, &missing, 1, NULL, &gradient), MS_INVALID, "wanted tensor 0");
    destroy(&f);

    f = create();
    ms_tensor clip = ms_clip_factor(f.graph, ms_sum_squares(f.graph, f.x, 0, NULL), 1);
    sum = ms_sum(f.graph, clip);
    CHECK_FAILS(ms_gradients(f.graph, sum, &f.x, 1, NULL, &gradient), MS_UNSUPPORTED, "clip_factor has no gradient");
    CHECK_FAILS(ms_graph_status(f.graph), MS_UNSUPPORTED, "clip_factor"); /* the graph remembers */
    destroy(&f);

    f = create();
    sum = ms_sum_squares(f.graph, f.x, 0, NULL);
    ms_tensor rows = ms_view(f.graph, ms_graph_tensor(f.graph, f.x)->variable, 4, ms_shape_2(2, 4));
    CHECK_FAILS(ms_gradients(f.graph, sum, &rows, 1, NULL, &gradient), MS_UNSUPPORTED, "x is wanted in another view");
    destroy(&f);

    f = create();
    sum = ms_sum_squares(f.graph, f.x, 0, NULL);
    ms_assign(f.graph, f.w, f.x);
    CHECK_FAILS(ms_gradients(f.graph, sum, &f.x, 1, NULL, &gradient), MS_UNSUPPORTED, "x is written after");
    destroy(&f);
}
END_TEST

/* ---- recomputation ---- */

static step_options recompute_options(bool recompute) {
    return (step_options){
        .n_layers = 3, .n_sequences = 1, .sequence = 4, .chunk = 4, .recompute = recompute, .n_micro = 1};
}

/* The backward pass of a layer reads nothing of that layer's forward pass but what other layers keep. */
START_TEST(recomputation_reads_only_layer_inputs) {
    step_options options = recompute_options(true);
    step_graph step;
    step_build(&options, &step);
    int n = ms_graph_n_nodes(step.graph), n_repeats = 0, n_forward = 0;
    while (ms_graph_node(step.graph, n_forward)->op != MS_OP_ASSIGN) n_forward++; /* of the loss */
    for (int i = n_forward; i < n; i++) n_repeats += ms_graph_node(step.graph, i)->recomputed;
    ck_assert_int_gt(n_repeats, 0);
    ck_assert_int_eq(n_repeats % options.n_layers, 0); /* the same in each layer */
    for (int i = n_forward; i < n; i++) {
        const ms_node *node = ms_graph_node(step.graph, i);
        for (int k = 0; k < node->n_inputs && node->layer >= 0; k++) {
            const ms_tensor_info *info = ms_graph_tensor(step.graph, node->inputs[k]);
            if (info->producer < 0) continue;
            const ms_node *made = ms_graph_node(step.graph, info->producer);
            bool forward = info->producer < n_forward && made->layer == node->layer;
            ck_assert_msg(!forward, "node %d (%s) of layer %d reads the forward pass's %s", i,
                          ms_op_get(node->op)->name, node->layer, ms_op_get(made->op)->name);
        }
    }
    step_finish(&step);
}
END_TEST

/* Without the repeats' marks, common subexpressions undo recomputation exactly: so both compute the same numbers. */
START_TEST(recomputation_repeats_the_same_operations) {
    step_options plain_options = recompute_options(false), options = recompute_options(true);
    step_graph plain, repeated;
    step_build(&plain_options, &plain);
    step_build(&options, &repeated);
    char *text = graph_text(repeated.graph), *out = malloc(strlen(text) + 1), *end = out;
    for (const char *at = text; *at;) { /* remove the marks */
        const char *mark = " recomputed\n";
        if (strncmp(at, mark, strlen(mark)) == 0) at += strlen(mark) - 1;
        *end++ = *at++;
    }
    *end = '\0';
    ms_variables *variables;
    ms_graph *unmarked, *merged, *reference, *with_marks;
    CHECK_OK(ms_graph_parse(out, &variables, &unmarked));
    CHECK_OK(ms_graph_finish(unmarked, &merged));
    CHECK_OK(ms_graph_finish(plain.graph, &reference));
    CHECK_OK(ms_graph_finish(repeated.graph, &with_marks));
    ck_assert_int_eq(ms_graph_n_nodes(merged), ms_graph_n_nodes(reference));
    ck_assert_int_gt(ms_graph_n_nodes(with_marks), ms_graph_n_nodes(reference));
    char *merged_text = graph_text(merged), *reference_text = graph_text(reference);
    ck_assert_str_eq(merged_text, reference_text);
    free(merged_text);
    free(reference_text);
    free(text);
    free(out);
    ms_graph_destroy(merged);
    ms_graph_destroy(reference);
    ms_graph_destroy(with_marks);
    ms_graph_destroy(unmarked);
    ms_variables_destroy(variables);
    step_finish(&plain);
    step_finish(&repeated);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/gradient");
    TCase *tcase = tcase_create("gradient");
    tcase_add_test(tcase, matmuls_accumulate_in_matmul);
    tcase_add_test(tcase, the_norm_takes_the_residual_gradient);
    tcase_add_test(tcase, the_tied_embedding_has_one_gradient);
    tcase_add_test(tcase, a_scaled_tied_loss_scales_its_gradients);
    tcase_add_test(tcase, the_losses_of_the_tied_tokens_have_no_gradient);
    tcase_add_test(tcase, cross_entropy_serves_a_constant_times_the_sum);
    tcase_add_test(tcase, a_scalar_factor_gets_a_sum);
    tcase_add_test(tcase, a_shared_matrix_sums_over_the_stack);
    tcase_add_test(tcase, independent_tensors_have_no_gradient);
    tcase_add_test(tcase, refusals_name_the_reason);
    tcase_add_test(tcase, recomputation_reads_only_layer_inputs);
    tcase_add_test(tcase, recomputation_repeats_the_same_operations);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
