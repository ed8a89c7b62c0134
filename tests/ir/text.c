/* The text form: what is printed is read back to the same text, and damage is named with its line. */
#include <check.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ir/support.h"
#include "tests/support/suite.h"

/* Parses the text of the graph and prints it again. */
static void check_round_trip(const ms_graph *graph) {
    char *text = graph_text(graph);
    ms_variables *variables;
    ms_graph *parsed;
    CHECK_OK(ms_graph_parse(text, &variables, &parsed));
    char *again = graph_text(parsed);
    ck_assert_str_eq(text, again);
    ck_assert_int_eq(ms_graph_n_nodes(graph), ms_graph_n_nodes(parsed));
    ck_assert_int_eq(ms_graph_n_tensors(graph), ms_graph_n_tensors(parsed));
    free(text);
    free(again);
    ms_graph_destroy(parsed);
    ms_variables_destroy(variables);
}

START_TEST(training_steps_round_trip) {
    for (int variant = 0; variant < 8; variant++) {
        step_options options = {.n_layers = 2,
                                .n_sequences = 2,
                                .sequence = 4,
                                .chunk = 3,
                                .recompute = (variant & 1) != 0,
                                .swiglu = (variant & 2) != 0,
                                .n_micro = 2,
                                .storage = variant & 4 ? MS_DTYPE_BF16 : MS_DTYPE_F32};
        step_graph step;
        step_build(&options, &step);
        check_round_trip(step.graph);
        ms_graph *finished;
        CHECK_OK(ms_graph_finish(step.graph, &finished));
        check_round_trip(finished);
        ms_graph_destroy(finished);
        step_finish(&step);
    }
}
END_TEST

START_TEST(random_graphs_round_trip) {
    for (unsigned seed = 1; seed <= 200; seed++) {
        ms_variables *variables;
        ms_graph *graph;
        random_graph(seed, 60, &variables, &graph);
        check_round_trip(graph);
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
}
END_TEST

/* Attributes of every type at their extremes come back with the same bits. */
START_TEST(attributes_keep_their_bits) {
    ms_variables *variables, *parsed_variables;
    ms_graph *graph, *parsed;
    int x, scalars;
    CHECK_OK(ms_variables_create(&variables));
    CHECK_OK(ms_variables_add(variables, "a name with spaces, %1 = [2,3]", MS_VARIABLE_STATE, MS_DTYPE_F32,
                              ms_shape_3(2, 4, 3), &x));
    CHECK_OK(ms_variables_add(variables, "scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(3), &scalars));
    CHECK_OK(ms_graph_create(variables, scalars, &graph));
    ms_tensor view = ms_view_all(graph, x);
    const float numbers[] = {0.1f, -0.0f, FLT_MIN / 8, FLT_MAX, 1.0f / 3, 8.156554524902461f, 1e-8f};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ms_axpby(graph, ms_constant(numbers[i]), view, ms_step_scalar(-numbers[i], 2), view);
    ms_random_normal_attributes random = {ms_step_scalar(0.1f, 1), UINT64_MAX, 0x123456789abcdef0u, -1,
                                          ms_shape_2(2, 5)};
    ms_random_normal(graph, &random);
    const int64_t group_rows[] = {1, 3};
    ms_sum_squares(graph, view, 2, group_rows);
    ms_cast(graph, view, MS_DTYPE_BF16);
    CHECK_OK(ms_graph_status(graph));
    char *text = graph_text(graph);
    CHECK_OK(ms_graph_parse(text, &parsed_variables, &parsed));
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_node *a = ms_graph_node(graph, i), *b = ms_graph_node(parsed, i);
        ck_assert_int_eq(a->op, b->op);
        if (a->op == MS_OP_AXPBY)
            ck_assert_mem_eq(&a->attributes.axpby, &b->attributes.axpby, sizeof a->attributes.axpby);
        if (a->op != MS_OP_RANDOM_NORMAL) continue;
        ck_assert(a->attributes.random_normal.seed == b->attributes.random_normal.seed);
        ck_assert(a->attributes.random_normal.stream == b->attributes.random_normal.stream);
    }
    ck_assert_str_eq(ms_variables_get(parsed_variables, 0)->name, ms_variables_get(variables, 0)->name);
    free(text);
    check_round_trip(graph);
    ms_graph_destroy(parsed);
    ms_variables_destroy(parsed_variables);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}
END_TEST

typedef struct damage {
    const char *text, *message;
} damage;

#define HEAD "graph step_scalars=1\nvariable 0 state f32 [2,3] x\nvariable 1 input f32 [2] s\n"
#define VIEW HEAD "%0 = view 0 offset=0 f32 [2,3]\n"

static const damage damages[] = {
    {"", "line 1: graph expected at the end of the line"},
    {"graph step_scalars=x\n", "line 1: the number of the step scalars expected at \"x\""},
    {"graph step_scalars=0\n", "graph: step scalars are variable 0 of 0"},
    {"graph\nvariable 1 state f32 [2] x\n", "line 2: variable 1 stands where 0 belongs"},
    {"graph\nvariable 0 statue f32 [2] x\n", "line 2: no kind of variable is called statue"},
    {"graph\nvariable 0 state f33 [2] x\n", "line 2: no dtype is called f33"},
    {"graph\nvariable 0 state f32 [2,0] x\n", "line 2: a dimension is 0, must be 1 to"},
    {"graph\nvariable 0 state f32 [1,1,1,1,1] x\n", "line 2: a shape has more than 4 dimensions"},
    {"graph\nvariable 0 state f32 [4000000000,4000000000] x\n", "line 2: a shape has more than"},
    {"graph\nvariable 0 state f32 [2] x\nvariable 1 state f32 [2] x\n", "line 3: variable x: name is taken"},
    {"graph\nvariable 0 state f32 [2]\n", "line 2: variable: empty name"},
    {HEAD "%0 = view 2 offset=0 f32 [2]\n", "line 4: the variable's number is 2, must be 0 to 1"},
    {HEAD "%0 = view 0 offset=4 f32 [3]\n", "line 4: view of x [2,3]: elements from 4"},
    {HEAD "%0 = view 0 offset=0 i32 [3]\n", "line 4: the view is i32, its variable is not"},
    {HEAD "%7 = view 0 offset=0 f32 [3]\n", "line 4: tensor %7 stands where %0 belongs"},
    {VIEW "%1 = view 0 offset=0 f32 [2,3]\n", "line 5: the view is the same as %0"},
    {VIEW "%1 f32 [2,3] = relu3(%0)\n", "line 5: no op is called relu3"},
    {VIEW "%1 f32 [2,3] = relu2(%1)\n", "line 5: relu2: input 0 is no tensor of this graph"},
    {VIEW "%1 f32 [2,3] = relu2()\n", "line 5: relu2: 0 inputs, takes 1 to 1"},
    {VIEW "%1 f32 [3,2] = relu2(%0)\n", "line 5: tensor %1 is said to be f32 [3,2] and is f32 [2,3]"},
    {VIEW "%2 f32 [2,3] = relu2(%0)\n", "line 5: tensor %2 stands where %1 belongs"},
    {VIEW "%1 f32 [2,3], %2 f32 [2,3] = relu2(%0)\n", "line 5: relu2 has 1 outputs, not 2"},
    {VIEW "%1 f32 [2,3] = relu2(%0\n", "line 5: ) expected at the end of the line"},
    {VIEW "%1 f32 [2,3] = relu2(%0) junk\n", "line 5: the end of the line expected at \"junk\""},
    {VIEW "%1 f32 [2,3] = axpby(%0) a=1\n", "line 5: axpby: b expected at the end of the line"},
    {VIEW "%1 f32 [2,3] = axpby(%0) a=1*s2 b=0\n", "line 5: axpby: a step scalar is 2, must be 0 to 1"},
    {VIEW "%1 f32 [1,3] = slice(%0) begin=99999999999999999999 count=1\n", "line 5: slice: begin is 9999"},
    {VIEW "%1 f32 [1,3] = slice(%0) begin=2 count=1\n", "line 5: slice: rows 2 to 3 of [2,3]"},
    {VIEW "assign(%0)\n", "line 5: assign: 1 inputs, takes 2 to 2"},
};

START_TEST(damage_is_named) {
    const damage *d = &damages[_i];
    ms_variables *variables;
    ms_graph *graph;
    ms_status status = ms_graph_parse(d->text, &variables, &graph);
    ck_assert_msg(status != MS_OK, "accepted: %s", d->text);
    ck_assert_ptr_null(variables);
    ck_assert_ptr_null(graph);
    ck_assert_msg(strstr(ms_status_message(), d->message) != NULL, "message \"%s\" lacks \"%s\"", ms_status_message(),
                  d->message);
}
END_TEST

/* Any cut of a text ends in an error or in a shorter graph, never in a fault. */
START_TEST(cut_texts_are_survived) {
    step_options options = {.n_layers = 1, .n_sequences = 1, .sequence = 2, .chunk = 2, .n_micro = 1};
    step_graph step;
    step_build(&options, &step);
    char *text = graph_text(step.graph);
    int n_refused = 0;
    for (size_t length = strlen(text); length-- > 0;) {
        text[length] = '\0';
        if (length % 7 != 0) continue;
        ms_variables *variables;
        ms_graph *graph;
        n_refused += ms_graph_parse(text, &variables, &graph) != MS_OK;
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
    ck_assert_int_gt(n_refused, 100);
    free(text);
    step_finish(&step);
}
END_TEST

START_TEST(a_name_with_a_line_break_is_refused) {
    ms_variables *variables;
    ms_graph *graph;
    int index;
    CHECK_OK(ms_variables_create(&variables));
    CHECK_OK(ms_variables_add(variables, "a\nb", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(1), &index));
    CHECK_OK(ms_graph_create(variables, -1, &graph));
    FILE *stream = tmpfile();
    CHECK_FAILS(ms_graph_print(graph, stream), MS_INVALID, "the name of variable 0 has a line break");
    fclose(stream);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/text");
    TCase *tcase = tcase_create("text");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, training_steps_round_trip);
    tcase_add_test(tcase, random_graphs_round_trip);
    tcase_add_test(tcase, attributes_keep_their_bits);
    tcase_add_loop_test(tcase, damage_is_named, 0, (int)(sizeof damages / sizeof *damages));
    tcase_add_test(tcase, cut_texts_are_survived);
    tcase_add_test(tcase, a_name_with_a_line_break_is_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
