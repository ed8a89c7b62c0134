/* The list of calls that backends run: what each operand is and where it lies, sizes of matmuls, what a run writes,
   addresses, texts for messages, times. */
#include "backend/call_list.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ir/support.h"
#include "tests/support/suite.h"

enum { A, W, GAIN, SCALARS, SUM, SQUARE, NORMED, N_VARIABLES };

typedef struct fixture {
    ms_variables *variables;
    ms_graph *graph;
    ms_plan plan;
    ms_call_list *list;
} fixture;

static void make_list(const ms_graph *graph, size_t f32_bytes, ms_plan *out_plan, ms_call_list **out) {
    ms_plan_options options = {.f32_bytes = f32_bytes, .alignment_bytes = 64};
    CHECK_OK(ms_plan_init(graph, &options, out_plan));
    CHECK_OK(ms_call_list_create(graph, out_plan, out));
}

static void add_variable(fixture *f, const char *name, ms_variable_kind kind, ms_shape shape, int want) {
    int index;
    CHECK_OK(ms_variables_add(f->variables, name, kind, MS_DTYPE_F32, shape, &index));
    ck_assert_int_eq(index, want);
}

/* Nodes: 0 matmul = 2 a w[1]^T, 1 scaled = step scalar 1 * matmul (in place), 2 its assignment, 3 square = w[0]^T
   w[0], 4 its assignment, 5 rms_norm of which rstd is not wanted, 6 the assignment of its result. */
static fixture make(size_t f32_bytes) {
    fixture f;
    CHECK_OK(ms_variables_create(&f.variables));
    add_variable(&f, "a", MS_VARIABLE_INPUT, ms_shape_3(3, 2, 5), A);
    add_variable(&f, "w", MS_VARIABLE_PARAMETER, ms_shape_3(2, 4, 5), W);
    add_variable(&f, "gain", MS_VARIABLE_PARAMETER, ms_shape_1(5), GAIN);
    add_variable(&f, "scalars", MS_VARIABLE_INPUT, ms_shape_1(2), SCALARS);
    add_variable(&f, "sum", MS_VARIABLE_OUTPUT, ms_shape_3(3, 2, 4), SUM);
    add_variable(&f, "square", MS_VARIABLE_OUTPUT, ms_shape_2(5, 5), SQUARE);
    add_variable(&f, "normed", MS_VARIABLE_OUTPUT, ms_shape_2(4, 5), NORMED);
    CHECK_OK(ms_graph_create(f.variables, SCALARS, &f.graph));
    ms_graph *g = f.graph;
    ms_graph_set_layer(g, 2);
    ms_tensor matmul = ms_matmul(g, ms_view_all(g, A), ms_view_slice(g, W, 1), MS_NO_TENSOR,
                                 &(ms_matmul_attributes){false, true, 2, 0, MS_DTYPE_F32}),
              y, rstd;
    ms_tensor scaled = ms_axpby(g, ms_step_scalar(1, 1), matmul, ms_constant(0), MS_NO_TENSOR);
    ms_assign(g, scaled, ms_view_all(g, SUM));
    ms_graph_set_layer(g, -1);
    ms_assign(g, ms_gram(g, ms_view_slice(g, W, 0), true), ms_view_all(g, SQUARE));
    ms_rms_norm(g, ms_view_slice(g, W, 0), ms_view_all(g, GAIN), 1e-5f, &y, &rstd);
    ms_assign(g, y, ms_view_all(g, NORMED));
    CHECK_OK(ms_graph_status(g));
    make_list(g, f32_bytes, &f.plan, &f.list);
    return f;
}

static void finish(fixture *f) {
    ms_call_list_destroy(f->list);
    ms_plan_finish(&f->plan);
    ms_graph_destroy(f->graph);
    ms_variables_destroy(f->variables);
}

static void check_in_variable(const ms_operand *operand, int variable, int64_t offset_bytes, int64_t count) {
    ck_assert_int_eq(operand->region, MS_REGION_VARIABLE);
    ck_assert_int_eq(operand->variable, variable);
    ck_assert_int_eq(operand->offset_bytes, offset_bytes);
    ck_assert_int_eq(operand->count, count);
    ck_assert_ptr_null(operand->data); /* not resolved yet */
}

START_TEST(operands_are_where_the_plan_has_them) {
    for (size_t f32_bytes = 4; f32_bytes <= 8; f32_bytes *= 2) {
        fixture f = make(f32_bytes);
        const ms_op_call *calls = f.list->calls;
        ck_assert_int_eq(f.list->n_calls, 7);
        ck_assert_int_eq(f.list->n_variables, N_VARIABLES);
        ck_assert_int_eq(f.list->step_scalars, SCALARS);
        ck_assert_uint_eq(f.list->arena_bytes, f.plan.arena_bytes);
        check_in_variable(&calls[0].in[0], A, 0, 30);
        check_in_variable(&calls[0].in[1], W, 20 * (int64_t)f32_bytes, 20);
        /* Computed where it is assigned, by a chain that works in place. */
        check_in_variable(&calls[0].out[0], SUM, 0, 24);
        check_in_variable(&calls[1].in[0], SUM, 0, 24);
        check_in_variable(&calls[1].out[0], SUM, 0, 24);
        check_in_variable(&calls[2].in[1], SUM, 0, 24);
        check_in_variable(&calls[5].out[0], NORMED, 0, 20);
        /* An absent input has no shape; an output that nobody wants has one. */
        ck_assert_int_eq(calls[0].in[2].region, MS_REGION_NONE);
        ck_assert_int_eq(calls[0].in[2].count, 0);
        ck_assert_int_eq(calls[5].out[1].region, MS_REGION_NONE);
        ck_assert_int_eq(calls[5].out[1].count, 4);
        ck_assert_int_eq(calls[5].out[1].dtype, MS_DTYPE_F32);
        ck_assert(calls[1].attributes.axpby.a.scalar == 1);
        finish(&f);
    }
}
END_TEST

START_TEST(matmuls_have_their_sizes) {
    fixture f = make(4);
    const ms_gemm *matmul = &f.list->calls[0].gemm, *gram = &f.list->calls[3].gemm;
    ck_assert_int_eq(matmul->batch, 3);
    ck_assert_int_eq(matmul->left.n_rows, 2);
    ck_assert_int_eq(matmul->right.n_rows, 4);
    ck_assert_int_eq(matmul->left.depth, 5);
    ck_assert_int_eq(matmul->right.depth, 5);
    ck_assert(!matmul->left.transposed && !matmul->right.transposed && !matmul->symmetric);
    ck_assert(!matmul->left.shared && matmul->right.shared);
    ck_assert_int_eq(ms_factor_step(&matmul->left), 10);
    ck_assert_int_eq(ms_factor_step(&matmul->right), 0);
    ck_assert_int_eq(ms_factor_stride(&matmul->right), 5);
    ck_assert(matmul->alpha == 2 && matmul->beta == 0);
    ck_assert_int_eq(gram->batch, 1);
    ck_assert_int_eq(gram->left.n_rows, 5);
    ck_assert_int_eq(gram->right.n_rows, 5);
    ck_assert_int_eq(gram->left.depth, 4);
    ck_assert(gram->left.transposed && gram->right.transposed && gram->symmetric && gram->alpha == 1);
    ck_assert_int_eq(ms_factor_stride(&gram->left), 5);
    ck_assert_int_eq(f.list->calls[1].gemm.batch, 0);
    ck_assert(f.list->calls[0].cost.contraction_flops == 2.0 * 3 * 2 * 4 * 5);
    ck_assert(f.list->calls[3].cost.contraction_flops == 2.0 * 15 * 4);
    finish(&f);
}
END_TEST

/* a [3,5,2] and b [4,5] stored the other way round: every combination of transposes has the same sizes. */
START_TEST(transposes_change_no_size) {
    for (int i = 0; i < 4; i++) {
        ms_attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.matmul = (ms_matmul_attributes){(i & 1) != 0, (i & 2) != 0, 1, 0, MS_DTYPE_F32};
        ms_shape a = i & 1 ? ms_shape_3(3, 5, 2) : ms_shape_3(3, 2, 5), b = i & 2 ? ms_shape_2(4, 5) : ms_shape_2(5, 4);
        ms_gemm gemm = ms_gemm_of(MS_OP_MATMUL, &attributes, &a, &b);
        ck_assert_int_eq(gemm.left.n_rows, 2);
        ck_assert_int_eq(gemm.right.n_rows, 4);
        ck_assert_int_eq(gemm.left.depth, 5);
        ck_assert_int_eq(gemm.right.depth, 5);
        ck_assert_int_eq(gemm.left.transposed, (i & 1) != 0);
        ck_assert_int_eq(gemm.right.transposed, (i & 2) == 0);
        ck_assert_int_eq(ms_factor_stride(&gemm.left), a.dim[2]);
        ck_assert_int_eq(ms_factor_stride(&gemm.right), b.dim[1]);
        ck_assert_int_eq(gemm.batch, 3);
    }
}
END_TEST

START_TEST(what_a_run_writes_is_listed) {
    static const int32_t want[] = {SUM, SQUARE, NORMED};
    fixture f = make(4);
    ck_assert_int_eq(f.list->n_written, 3);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(f.list->written[i], want[i]);
    finish(&f);
}
END_TEST

START_TEST(addresses_are_base_and_offset) {
    static char memory[N_VARIABLES + 1][1024];
    void *variables[N_VARIABLES];
    for (int i = 0; i < N_VARIABLES; i++) variables[i] = memory[i];
    fixture f = make(4);
    ms_op_call *calls = f.list->calls;
    ms_call_list_resolve(f.list, variables, memory[N_VARIABLES]);
    ck_assert_ptr_eq(calls[0].in[1].data, memory[W] + 80);
    ck_assert_ptr_eq(calls[1].in[0].data, calls[1].out[0].data);
    ck_assert_ptr_null(calls[0].in[2].data);
    ck_assert_ptr_null(calls[5].out[1].data);
    variables[W] = memory[N_VARIABLES]; /* moved */
    ms_call_list_resolve(f.list, variables, memory[N_VARIABLES]);
    ck_assert_ptr_eq(calls[0].in[1].data, memory[N_VARIABLES] + 80);
    finish(&f);
}
END_TEST

START_TEST(messages_name_the_call) {
    fixture f = make(4);
    char text[96], operands[400], cut[70];
    const ms_op_call *matmul = &f.list->calls[0], *gram = &f.list->calls[3];
    ck_assert_str_eq(ms_op_call_text(matmul, text, sizeof text), "matmul (node 0, layer 2)");
    ck_assert_str_eq(ms_op_call_text(gram, text, sizeof text), "gram (node 3, layer -1)");
    ck_assert_str_eq(ms_operands_text(matmul->in, matmul->out, operands, sizeof operands),
                     " f32[3,2,5] f32[4,5] -> f32[3,2,4]");
    ck_assert_uint_lt(strlen(ms_operands_text(matmul->in, matmul->out, cut, sizeof cut)), sizeof cut);
    ck_assert_ptr_nonnull(strstr(cut, " ->"));
    CHECK_FAILS(ms_op_call_note(MS_FAIL(MS_INTERNAL, "out of luck"), matmul), MS_INTERNAL,
                "matmul (node 0, layer 2): out of luck");
    finish(&f);
}
END_TEST

START_TEST(times_add_up_until_they_are_set) {
    ms_op_times times = {.on = false};
    ms_op_times_set(&times, true);
    ms_op_times_add(&times, MS_OP_GRAM, 0.5);
    ms_op_times_add(&times, MS_OP_GRAM, 0.25);
    ck_assert(times.on && times.seconds[MS_OP_GRAM] == 0.75 && times.n_calls[MS_OP_GRAM] == 2);
    ck_assert(times.n_calls[MS_OP_MATMUL] == 0);
    ms_op_times_set(&times, false);
    ck_assert(!times.on && times.seconds[MS_OP_GRAM] == 0 && times.n_calls[MS_OP_GRAM] == 0);
}
END_TEST

static void check_operand(const ms_graph *graph, const ms_plan *plan, ms_tensor tensor, const ms_operand *operand) {
    ms_place place = tensor == MS_NO_TENSOR ? (ms_place){-1, -1} : plan->places[tensor];
    ck_assert_int_eq(operand->region, place.offset < 0      ? MS_REGION_NONE
                                      : place.variable >= 0 ? MS_REGION_VARIABLE
                                                            : MS_REGION_ARENA);
    if (place.offset >= 0) ck_assert_int_eq(operand->offset_bytes, place.offset);
    if (place.offset >= 0) ck_assert_int_eq(operand->variable, place.variable);
    ck_assert_int_eq(operand->count,
                     tensor == MS_NO_TENSOR ? 0 : ms_shape_count(&ms_graph_tensor(graph, tensor)->shape));
    if (tensor == MS_NO_TENSOR) return;
    ck_assert(ms_shape_equal(&operand->shape, &ms_graph_tensor(graph, tensor)->shape));
    ck_assert_int_eq(operand->dtype, ms_graph_tensor(graph, tensor)->dtype);
}

START_TEST(random_graphs_are_as_they_were_planned) {
    int n_in_arena = 0;
    for (unsigned seed = 1; seed <= 200; seed++) {
        ms_variables *variables;
        ms_graph *graph;
        ms_plan plan;
        ms_call_list *list;
        random_graph(seed, 40, &variables, &graph);
        make_list(graph, 4, &plan, &list);
        ck_assert_int_eq(list->n_calls, ms_graph_n_nodes(graph));
        for (int i = 0; i < list->n_calls; i++) {
            const ms_node *node = ms_graph_node(graph, i);
            const ms_op_call *call = &list->calls[i];
            ck_assert(call->op == node->op && call->node == i && call->layer == node->layer);
            ck_assert_mem_eq(&call->attributes, &node->attributes, sizeof call->attributes);
            for (int j = 0; j < MS_MAX_INPUTS; j++)
                check_operand(graph, &plan, j < node->n_inputs ? node->inputs[j] : MS_NO_TENSOR, &call->in[j]);
            for (int k = 0; k < MS_MAX_OUTPUTS; k++) {
                check_operand(graph, &plan, k < node->n_outputs ? node->outputs[k] : MS_NO_TENSOR, &call->out[k]);
                n_in_arena += call->out[k].region == MS_REGION_ARENA;
            }
        }
        ms_call_list_destroy(list);
        ms_plan_finish(&plan);
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
    ck_assert_int_gt(n_in_arena, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("backend/call_list");
    TCase *tests = tcase_create("call_list");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, operands_are_where_the_plan_has_them);
    tcase_add_test(tests, matmuls_have_their_sizes);
    tcase_add_test(tests, transposes_change_no_size);
    tcase_add_test(tests, what_a_run_writes_is_listed);
    tcase_add_test(tests, addresses_are_base_and_offset);
    tcase_add_test(tests, messages_name_the_call);
    tcase_add_test(tests, times_add_up_until_they_are_set);
    tcase_add_test(tests, random_graphs_are_as_they_were_planned);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
