/* The front of the backends: what it refuses, and with which words. */
#include "backend/backend.h"

#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "tests/support/suite.h"

START_TEST(test_list_has_the_cpu) {
    ms_device_info infos[4];
    int n = 0;
    ms_must(ms_device_list(infos, 4, &n));
    ck_assert_int_ge(n, 1);
    ck_assert_str_eq(infos[0].name, "cpu");
    ck_assert(infos[0].usable);
    int counted = 0;
    ms_must(ms_device_list(NULL, 0, &counted));
    ck_assert_int_eq(counted, n);
}
END_TEST

START_TEST(test_named_device_or_error) {
    ms_device *device;
    ms_device_options options = {"vulkan:7", MS_NUMERICS_FAST, 1};
    ms_expect(ms_device_open(&options, &device), MS_NOT_FOUND, "no device \"vulkan:7\"; known devices: cpu");
    ck_assert_ptr_null(device);
    options = (ms_device_options){"cpu", MS_NUMERICS_FAST, 5000};
    ms_expect(ms_device_open(&options, &device), MS_INVALID, "5000 threads");
    options = (ms_device_options){"", MS_NUMERICS_FAST, 1};
    ms_expect(ms_device_open(&options, &device), MS_INVALID, "no name");
}
END_TEST

typedef struct world {
    ms_variables *variables;
    ms_device *device;
    ms_store *store;
    int x, y;
} world;

static world make_world(void) {
    world w;
    ms_device_options options = {"cpu", MS_NUMERICS_EXACT, 1};
    ms_must(ms_variables_create(&w.variables));
    ms_must(ms_variables_add(w.variables, "x", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_2(3, 4), &w.x));
    ms_must(ms_variables_add(w.variables, "y", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(3, 4), &w.y));
    ms_must(ms_device_open(&options, &w.device));
    ms_must(ms_store_create(w.device, w.variables, &w.store));
    return w;
}

static void free_world(world *w) {
    ms_store_destroy(w->store);
    ms_device_close(w->device);
    ms_variables_destroy(w->variables);
}

START_TEST(test_ranges_are_checked) {
    world w = make_world();
    float values[12] = {0};
    ms_must(ms_store_upload(w.store, w.x, 0, 12, values));
    ms_expect(ms_store_upload(w.store, w.x, 1, 12, values), MS_INVALID,
              "variable x: 12 elements from element 1 on, it has 12");
    ms_expect(ms_store_download(w.store, w.x, -1, 2, values), MS_INVALID, "2 elements from element -1 on");
    ms_expect(ms_store_download(w.store, 9, 0, 1, values), MS_INVALID, "variable 9 of 2");
    ms_expect(ms_store_download(w.store, w.x, INT64_MAX, 2, values), MS_INVALID,
              "variable x: 2 elements from element 9223372036854775807 on, it has 12");
    ms_expect(ms_store_upload(w.store, w.x, 2, INT64_MAX, values), MS_INVALID,
              "variable x: 9223372036854775807 elements from element 2 on, it has 12");
    ms_must(ms_store_download_parts(w.store, NULL, 0, NULL));
    ms_must(ms_store_announce(w.store, NULL, 0));
    ms_expect(ms_store_download_parts(w.store, NULL, -1, NULL), MS_INVALID, "store: -1 parts, must be at least 0");
    ms_expect(ms_store_download_parts_f64(w.store, NULL, -2, NULL), MS_INVALID, "store: -2 parts, must be at least 0");
    ms_expect(ms_store_announce(w.store, NULL, -1), MS_INVALID, "store: -1 parts, must be at least 0");
    free_world(&w);
}
END_TEST

enum { MANY = 20000 }; /* elements: more than the store converts at a time */

/* x f32 [MANY], i i32 [4], on a device of any numerics. */
static world make_large_world(ms_numerics numerics) {
    world w = {0};
    ms_device_options options = {"cpu", numerics, 1};
    ms_must(ms_variables_create(&w.variables));
    ms_must(ms_variables_add(w.variables, "x", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(MANY), &w.x));
    ms_must(ms_variables_add(w.variables, "i", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(4), &w.y));
    ms_must(ms_device_open(&options, &w.device));
    ms_must(ms_store_create(w.device, w.variables, &w.store));
    return w;
}

/* Who reads and writes floats need not know what the device holds: not one byte more is touched. */
START_TEST(test_floats_are_floats_in_all_numerics) {
    world w = make_large_world((ms_numerics)_i);
    static float sent[MANY], got[MANY + 1], middle[MANY];
    int32_t ids[4] = {1, -2, 3, 1 << 30}, got_ids[4] = {0};
    for (int i = 0; i < MANY; i++) sent[i] = (float)i / 3 - 100, middle[i] = (float)-i;
    got[MANY] = 77;
    ms_must(ms_store_upload(w.store, w.x, 0, MANY, sent));
    ms_must(ms_store_upload(w.store, w.x, 5, MANY - 9, middle));
    ms_must(ms_store_upload(w.store, w.y, 0, 4, ids));
    memcpy(sent + 5, middle, (MANY - 9) * sizeof *sent);
    ms_must(ms_store_download(w.store, w.x, 0, MANY, got));
    ck_assert_mem_eq(got, sent, sizeof sent);
    ck_assert_float_eq(got[MANY], 77);
    float part[3], wide_enough[MANY];
    const ms_store_part parts[] = {{w.x, MANY - 3, 3}, {w.y, 0, 4}, {w.x, 0, MANY}};
    ms_must(ms_store_download_parts(w.store, parts, 3, (void *const[]){part, got_ids, wide_enough}));
    ck_assert_mem_eq(part, sent + MANY - 3, sizeof part);
    ck_assert_mem_eq(got_ids, ids, sizeof ids);
    ck_assert_mem_eq(wide_enough, sent, sizeof sent);
    ck_assert_uint_eq(ms_store_bytes(w.store), MANY * ms_device_element_bytes(w.device, MS_DTYPE_F32) + 4 * 4);
    free_world(&w);
}
END_TEST

/* Doubles: the oracle keeps them, all others have them rounded. */
START_TEST(test_doubles_are_kept_or_rounded) {
    world w = make_large_world((ms_numerics)_i);
    static double sent[MANY], want[MANY], got[MANY + 1];
    bool keeps = _i == MS_NUMERICS_ORACLE;
    for (int i = 0; i < MANY; i++) sent[i] = (i - 7) / 3.0;
    for (int i = 0; i < MANY; i++) want[i] = keeps ? sent[i] : (double)(float)sent[i];
    ck_assert_int_eq(memcmp(sent, want, sizeof sent) == 0, keeps);
    got[MANY] = 77;
    ms_must(ms_store_upload_f64(w.store, w.x, 0, MANY, sent));
    ms_must(ms_store_download_f64(w.store, w.x, 0, MANY, got));
    ck_assert_mem_eq(got, want, sizeof want);
    ck_assert_double_eq(got[MANY], 77);
    double first[3], rest[MANY - 3];
    const ms_store_part parts[] = {{w.x, 0, 3}, {w.x, 3, MANY - 3}, {w.y, 0, 4}};
    ms_must(ms_store_download_parts_f64(w.store, parts, 2, (void *const[]){first, rest}));
    ck_assert_mem_eq(first, want, sizeof first);
    ck_assert_mem_eq(rest, want + 3, sizeof rest);
    ms_expect(ms_store_upload_f64(w.store, w.y, 0, 1, sent), MS_INVALID, "variable i is i32");
    ms_expect(ms_store_download_f64(w.store, w.y, 0, 1, got), MS_INVALID, "variable i is i32");
    ms_expect(ms_store_download_parts_f64(w.store, parts, 3, (void *const[]){first, rest, got}), MS_INVALID,
              "variable i is i32");
    ms_expect(ms_store_upload_f64(w.store, w.x, 1, MANY, sent), MS_INVALID,
              "20000 elements from element 1 on, it has 20000");
    free_world(&w);
}
END_TEST

START_TEST(test_program_runs_and_reports) {
    world w = make_world();
    ms_graph *graph, *finished;
    ms_program *program;
    ms_program_report report;
    float values[12], result[12];
    for (int i = 0; i < 12; i++) values[i] = (float)i - 5;
    ms_must(ms_store_upload(w.store, w.x, 0, 12, values));
    ms_must(ms_graph_create(w.variables, -1, &graph));
    ms_assign(graph, ms_relu2(graph, ms_view_all(graph, w.x)), ms_view_all(graph, w.y));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_estimate(w.device, finished, &report));
    ck_assert_int_eq(report.n_placed, 1); /* computed in y itself */
    ck_assert_uint_eq(report.arena_bytes, 0);
    ms_must(ms_program_compile(w.store, finished, &program));
    ms_program_set_timing(program, true);
    ms_must(ms_program_run(program));
    ms_must(ms_program_run(program));
    ms_op_time times[MS_OP_COUNT];
    ms_program_get_times(program, times);
    ck_assert_int_eq(times[MS_OP_RELU2].n_calls, 2);
    ms_must(ms_store_download(w.store, w.y, 0, 12, result));
    for (int i = 0; i < 12; i++) ck_assert_float_eq(result[i], values[i] > 0 ? values[i] * values[i] : 0);
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    free_world(&w);
}
END_TEST

START_TEST(test_unfinished_and_foreign_graphs_are_refused) {
    world w = make_world(), other = make_world();
    ms_graph *graph;
    ms_program *program;
    ms_must(ms_graph_create(w.variables, -1, &graph));
    ms_expect(ms_program_compile(other.store, graph, &program), MS_INVALID, "different variables");
    int targets;
    ms_must(ms_variables_add(w.variables, "targets", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(3), &targets));
    ms_tied_cross_entropy_attributes attributes = {1, 2, MS_DTYPE_F32};
    ms_tensor out[4], x = ms_view_all(graph, w.x);
    ms_tied_cross_entropy(graph, (const ms_tensor[]){x, x, ms_view_all(graph, targets)}, &attributes, out);
    ms_must(ms_graph_status(graph));
    ms_expect(ms_program_compile(w.store, graph, &program), MS_INVALID, "tied_cross_entropy at node 0 was not lowered");
    ms_graph_destroy(graph);
    free_world(&w);
    free_world(&other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("device");
    TCase *tcase = tcase_create("device");
    tcase_add_test(tcase, test_list_has_the_cpu);
    tcase_add_test(tcase, test_named_device_or_error);
    tcase_add_test(tcase, test_ranges_are_checked);
    tcase_add_loop_test(tcase, test_floats_are_floats_in_all_numerics, MS_NUMERICS_FAST, MS_NUMERICS_ORACLE + 1);
    tcase_add_loop_test(tcase, test_doubles_are_kept_or_rounded, MS_NUMERICS_FAST, MS_NUMERICS_ORACLE + 1);
    tcase_add_test(tcase, test_program_runs_and_reports);
    tcase_add_test(tcase, test_unfinished_and_foreign_graphs_are_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
