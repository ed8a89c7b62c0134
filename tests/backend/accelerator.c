/* A device that is not the CPU through the public API: memory, transfers, order of work, step scalars, faults, timings,
   counts.  Usage: test_backend_accelerator DEVICE.  tests/vulkan and tests/cuda_host run it on theirs. */
#include "backend/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "tests/support/suite.h"

static const char *device_name;

static ms_device *open_device(void) {
    ms_device_options options = {.name = device_name, .numerics = MS_NUMERICS_EXACT};
    ms_device *device;
    ms_must(ms_device_open(&options, &device));
    return device;
}

/* y = (s[0] a) x, then twice that is stored in z: two dependent dispatches. */
typedef struct world {
    ms_device *device;
    ms_variables *variables;
    ms_graph *finished;
    ms_store *store;
    ms_program *program;
    int x, y, z, scalars;
    int64_t count;
} world;

static world make_world(int64_t count) {
    world w = {.count = count, .device = open_device()};
    ms_must(ms_variables_create(&w.variables));
    ms_must(ms_variables_add(w.variables, "x", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(count), &w.x));
    ms_must(ms_variables_add(w.variables, "y", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(count), &w.y));
    ms_must(ms_variables_add(w.variables, "z", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(count), &w.z));
    ms_must(ms_variables_add(w.variables, "s", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(2), &w.scalars));
    ms_graph *graph;
    ms_must(ms_graph_create(w.variables, w.scalars, &graph));
    const ms_coefficient factor = {3, 0};
    ms_tensor y = ms_axpby(graph, factor, ms_view_all(graph, w.x), ms_constant(0), MS_NO_TENSOR);
    ms_assign(graph, y, ms_view_all(graph, w.y));
    ms_assign(graph, ms_axpby(graph, ms_constant(2), y, ms_constant(0), MS_NO_TENSOR), ms_view_all(graph, w.z));
    ms_must(ms_graph_finish(graph, &w.finished));
    ms_graph_destroy(graph);
    ms_must(ms_store_create(w.device, w.variables, &w.store));
    ms_must(ms_program_compile(w.store, w.finished, &w.program));
    return w;
}

static void free_world(world *w) {
    ms_program_destroy(w->program);
    ms_store_destroy(w->store);
    ms_graph_destroy(w->finished);
    ms_variables_destroy(w->variables);
    ms_device_close(w->device);
}

static float *numbers(int64_t count, uint32_t seed) {
    float *x = malloc((size_t)count * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)seed * 0x1p-20f;
    }
    return x;
}

/* More than all staging slots together, from and to odd places. */
START_TEST(test_transfers) {
    const int64_t count = (40 << 20) / 4 + 3;
    world w = make_world(count);
    float *sent = numbers(count, 1), *got = calloc((size_t)count, sizeof *got);
    ms_must(ms_store_upload(w.store, w.x, 0, count, sent));
    ms_must(ms_store_download(w.store, w.x, 0, count, got));
    ck_assert_int_eq(memcmp(sent, got, (size_t)count * sizeof *got), 0);
    sent[7] = 1.5f;
    ms_must(ms_store_upload(w.store, w.x, 7, 1, &sent[7]));
    ms_must(ms_store_upload(w.store, w.x, 3 * (count / 5), 1234567, sent + 3 * (count / 5)));
    memset(got, 0, (size_t)count * sizeof *got);
    ms_must(ms_store_download(w.store, w.x, 5, count - 9, got + 5));
    ck_assert_int_eq(memcmp(sent + 5, got + 5, (size_t)(count - 9) * sizeof *got), 0);
    ms_must(ms_store_download(w.store, w.x, 0, 0, got));
    free(sent);
    free(got);
    free_world(&w);
}
END_TEST

START_TEST(test_storage_starts_at_zero) {
    world w = make_world(70001);
    float *got = numbers(w.count, 2);
    ms_must(ms_store_download(w.store, w.y, 0, w.count, got));
    for (int64_t i = 0; i < w.count; i++) ck_assert(got[i] == 0);
    free(got);
    free_world(&w);
}
END_TEST

/* Many runs are queued with new inputs between them and nothing waits: each sees the inputs that were sent before
   it. */
START_TEST(test_order_of_runs_and_uploads) {
    world w = make_world(100003);
    float *x = numbers(w.count, 3), *y = calloc((size_t)w.count, sizeof *y), *z = calloc((size_t)w.count, sizeof *z);
    for (int run = 1; run <= 40; run++) {
        const float scalars[2] = {(float)run, 0};
        x[run] = (float)(1000 * run);
        ms_must(ms_store_upload(w.store, w.x, run, 1, &x[run]));
        if (run == 1) ms_must(ms_store_upload(w.store, w.x, 0, w.count, x));
        ms_must(ms_store_upload(w.store, w.scalars, 0, 2, scalars));
        ms_must(ms_program_run(w.program));
        if (run % 20 != 0) continue;
        ms_must(ms_store_download(w.store, w.z, 0, w.count, z));
        ms_must(ms_store_download(w.store, w.y, 0, w.count, y));
        for (int64_t i = 0; i < w.count; i++) {
            volatile float factor = 3.0f * (float)run, once = factor * x[i], twice = 2.0f * once;
            ck_assert_msg(y[i] == once && z[i] == twice, "run %d, element %lld: %g %g, not %g %g", run, (long long)i,
                          (double)y[i], (double)z[i], (double)once, (double)twice);
        }
    }
    free(x);
    free(y);
    free(z);
    free_world(&w);
}
END_TEST

START_TEST(test_counts_and_times) {
    world w = make_world(1 << 20);
    ms_program_counts counts;
    ms_program_report report;
    ms_op_time times[MS_OP_COUNT];
    ms_must(ms_program_run(w.program));
    ms_must(ms_device_wait(w.device));
    ms_program_get_counts(w.program, &counts);
    ms_program_get_report(w.program, &report);
    ck_assert_int_eq(report.n_active, 2);
    ck_assert_int_eq(counts.n_dispatches, 2); /* what is stored is computed in its variable */
    ck_assert_int_eq(counts.n_barriers, 1);
    ck_assert_int_eq(counts.n_submissions, 1);
    ck_assert(counts.operand_bytes >= 4.0 * 4 * (1 << 20));
    ms_program_set_timing(w.program, true);
    for (int i = 0; i < 3; i++) ms_must(ms_program_run(w.program));
    ms_program_get_times(w.program, times);
    ck_assert_int_eq(times[MS_OP_AXPBY].n_calls, 6);
    ck_assert(times[MS_OP_AXPBY].seconds > 0 && times[MS_OP_AXPBY].seconds < 60);
    ms_program_set_timing(w.program, false);
    ms_must(ms_program_run(w.program));
    ms_must(ms_device_wait(w.device));
    ms_program_get_times(w.program, times);
    ck_assert_int_eq(times[MS_OP_AXPBY].n_calls, 0);
    free_world(&w);
}
END_TEST

/* What the device gives is close to what was asked for, and comes back. */
START_TEST(test_memory_is_held_to_the_plan) {
    ms_device *device = open_device();
    size_t before = ms_device_allocated_bytes(device);
    for (int round = 0; round < 3; round++) {
        ms_variables *variables;
        ms_store *store;
        ms_must(ms_variables_create(&variables));
        for (int i = 0; i < 60; i++) {
            char name[8];
            int index;
            snprintf(name, sizeof name, "v%d", i);
            ms_must(
                ms_variables_add(variables, name, MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(1 + 7001 * i), &index));
        }
        ms_must(ms_store_create(device, variables, &store));
        double asked = (double)ms_store_bytes(store);
        double held = (double)(ms_device_allocated_bytes(device) - before);
        ck_assert_msg(held >= asked && held < 1.1 * asked + (4 << 20), "asked %.0f, held %.0f", asked, held);
        ms_store_destroy(store);
        ms_variables_destroy(variables);
        ck_assert_uint_le(ms_device_allocated_bytes(device), before + (1 << 20)); /* staging of the zero fill */
    }
    ms_device_close(device);
}
END_TEST

START_TEST(test_too_large) {
    ms_device *device = open_device();
    ms_variables *variables;
    ms_store *store;
    int index;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_variables_add(variables, "huge", MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_2(1 << 20, 1 << 20), &index));
    ms_expect(ms_store_create(device, variables, &store), MS_OUT_OF_MEMORY, "variable huge");
    ms_expect(MS_OUT_OF_MEMORY, MS_OUT_OF_MEMORY, "no memory for 4398046511104 bytes");
    ck_assert_ptr_null(store);
    ms_variables_destroy(variables);
    ms_device_close(device);
}
END_TEST

/* An index outside of the table is told with the op, the value and the limit, and only once. */
START_TEST(test_fault) {
    ms_device *device = open_device();
    ms_variables *variables;
    ms_graph *graph, *finished;
    ms_store *store;
    ms_program *program;
    int table, index, out;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_variables_add(variables, "t", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_2(10, 6), &table));
    ms_must(ms_variables_add(variables, "i", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(5), &index));
    ms_must(ms_variables_add(variables, "o", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(5, 6), &out));
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_tensor y = ms_embed(graph, ms_view_all(graph, table), ms_view_all(graph, index), 1);
    ms_assign(graph, y, ms_view_all(graph, out));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_store_create(device, variables, &store));
    ms_must(ms_program_compile(store, finished, &program));
    const int32_t bad[5] = {0, 9, 4711, 1, 2}, good[5] = {0, 9, 3, 1, 2};
    ms_store *other;
    ms_program *other_program;
    ms_must(ms_store_create(device, variables, &other));
    ms_must(ms_program_compile(other, finished, &other_program));
    ms_must(ms_store_upload(store, index, 0, 5, bad));
    ms_must(ms_program_run(program));
    /* What is freed waits for the device, and must not swallow what there is to tell. */
    ms_program_destroy(other_program);
    ms_store_destroy(other);
    ms_expect(ms_device_wait(device), MS_INVALID, "embed (node 0");
    ms_expect(MS_INVALID, MS_INVALID, "value 4711 is outside of [0, 10)");
    ms_must(ms_store_upload(store, index, 0, 5, good));
    ms_must(ms_program_run(program));
    ms_must(ms_device_wait(device));
    ms_program_destroy(program);
    ms_store_destroy(store);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
    ms_device_close(device);
}
END_TEST

START_TEST(test_estimate_needs_no_storage) {
    world w = make_world(1 << 20);
    size_t before = ms_device_allocated_bytes(w.device);
    ms_program_report report;
    ms_must(ms_program_estimate(w.device, w.finished, &report));
    ck_assert_int_ge(report.n_nodes, 2);
    ck_assert_uint_eq(ms_device_allocated_bytes(w.device), before);
    free_world(&w);
}
END_TEST

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s DEVICE\n", argv[0]);
        return 2;
    }
    device_name = argv[1];
    Suite *suite = suite_create("accelerator");
    TCase *tests = tcase_create("accelerator");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, test_transfers);
    tcase_add_test(tests, test_storage_starts_at_zero);
    tcase_add_test(tests, test_order_of_runs_and_uploads);
    tcase_add_test(tests, test_counts_and_times);
    tcase_add_test(tests, test_memory_is_held_to_the_plan);
    tcase_add_test(tests, test_too_large);
    tcase_add_test(tests, test_fault);
    tcase_add_test(tests, test_estimate_needs_no_storage);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
