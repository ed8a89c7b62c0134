/* Downloads beside the device's work, with queues_layer.c holding the work back: what was downloaded while work is held
   did not wait for it.  Usage: test_vulkan_beside LAYER_LIBRARY, with the layer's environment; see queues.sh. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "tests/support/suite.h"

static const volatile int *held_back;
static bool has_one_queue;

enum { COUNT = 3 * 1024 * 1024 / 4 + 3 }; /* more than a staging slot, and two of them more than 4 MiB */

/* A run makes y = 2 x; x and w are only read. */
typedef struct world {
    ms_device *device;
    ms_variables *variables;
    ms_graph *finished;
    ms_store *store;
    ms_program *program;
    int x, w, y;
    float *sent_x, *sent_w, *got;
} world;

static float *numbers(uint32_t seed) {
    float *x = malloc(COUNT * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)seed * 0x1p-20f;
    }
    return x;
}

static int add_variable(world *s, const char *name) {
    int index;
    ms_must(ms_variables_add(s->variables, name, MS_VARIABLE_STATE, MS_DTYPE_F32, ms_shape_1(COUNT), &index));
    return index;
}

static world make_world(void) {
    world s = {.sent_x = numbers(1), .sent_w = numbers(2), .got = numbers(3)};
    ms_device_options options = {.name = "vulkan:0", .numerics = MS_NUMERICS_EXACT};
    ms_must(ms_device_open(&options, &s.device));
    ms_must(ms_variables_create(&s.variables));
    s.x = add_variable(&s, "x");
    s.w = add_variable(&s, "w");
    s.y = add_variable(&s, "y");
    ms_graph *graph;
    ms_must(ms_graph_create(s.variables, -1, &graph));
    ms_tensor twice = ms_axpby(graph, ms_constant(2), ms_view_all(graph, s.x), ms_constant(0), MS_NO_TENSOR);
    ms_assign(graph, twice, ms_view_all(graph, s.y));
    ms_must(ms_graph_finish(graph, &s.finished));
    ms_graph_destroy(graph);
    ms_must(ms_store_create(s.device, s.variables, &s.store));
    ms_must(ms_program_compile(s.store, s.finished, &s.program));
    ms_must(ms_store_upload(s.store, s.x, 0, COUNT, s.sent_x));
    ms_must(ms_store_upload(s.store, s.w, 0, COUNT, s.sent_w));
    ms_must(ms_program_run(s.program)); /* recorded */
    ms_must(ms_device_wait(s.device));
    ck_assert_int_eq(*held_back, 0);
    return s;
}

static void free_world(world *s) {
    ms_program_destroy(s->program);
    ms_store_destroy(s->store);
    ms_graph_destroy(s->finished);
    ms_variables_destroy(s->variables);
    ms_device_close(s->device);
    free(s->sent_x);
    free(s->sent_w);
    free(s->got);
}

static void must_get(world *s, int variable, const float *want) {
    memset(s->got, 0xff, COUNT * sizeof *s->got);
    ms_must(ms_store_download(s->store, variable, 0, COUNT, s->got));
    ck_assert_int_eq(memcmp(s->got, want, COUNT * sizeof *want), 0);
}

static void must_get_twice_x(world *s) {
    ms_must(ms_store_download(s->store, s->y, 0, COUNT, s->got));
    for (int i = 0; i < COUNT; i++) ck_assert(s->got[i] == 2 * s->sent_x[i]);
}

START_TEST(test_announced_download_leaves_work_undone) {
    world s = make_world();
    const ms_store_part parts[2] = {{s.x, 0, COUNT}, {s.w, 0, COUNT}};
    ck_assert(ms_device_copies_announced(s.device) == has_one_queue);
    for (int round = 0; round < 3; round++) {
        ms_must(ms_store_announce(s.store, parts, 2));
        ms_must(ms_program_run(s.program));
        must_get(&s, s.x, s.sent_x);
        must_get(&s, s.w, s.sent_w);
        ck_assert_int_gt(*held_back, 0);
        must_get_twice_x(&s); /* needs the run */
        ck_assert_int_eq(*held_back, 0);
        s.sent_x[round] = 7;
        ms_must(ms_store_upload(s.store, s.x, round, 1, &s.sent_x[round]));
    }
    free_world(&s);
}
END_TEST

/* With a queue for copies nothing has to be announced; with one queue this shows that the counter can be zero. */
START_TEST(test_unannounced_download) {
    world s = make_world();
    ms_must(ms_program_run(s.program));
    ck_assert_int_gt(*held_back, 0);
    must_get(&s, s.w, s.sent_w);
    ck_assert((*held_back == 0) == has_one_queue);
    must_get_twice_x(&s);
    free_world(&s);
}
END_TEST

/* A download gives what is there, whatever was announced before. */
START_TEST(test_written_after_it_was_announced) {
    world s = make_world();
    const ms_store_part parts[3] = {{s.x, 0, COUNT}, {s.w, 0, COUNT}, {s.y, 0, COUNT}};
    ms_must(ms_store_announce(s.store, parts, 3));
    for (int i = 0; i < COUNT; i++) s.sent_x[i] = s.sent_w[i] + 1;
    ms_must(ms_store_upload(s.store, s.x, 0, COUNT, s.sent_x));
    ms_must(ms_program_run(s.program));
    must_get(&s, s.w, s.sent_w);
    ck_assert_int_gt(*held_back, 0);
    must_get(&s, s.x, s.sent_x);
    must_get_twice_x(&s);
    free_world(&s);
}
END_TEST

static void check_parts(world *s, const ms_store_part *parts, int n) {
    float *got[8];
    ck_assert_int_le(n, 8);
    for (int i = 0; i < n; i++) ck_assert_ptr_nonnull(got[i] = calloc((size_t)parts[i].count + 1, sizeof(float)));
    ms_must(ms_store_download_parts(s->store, parts, n, (void *const *)got));
    for (int i = 0; i < n; i++) {
        const float *want = (parts[i].variable == s->x ? s->sent_x : s->sent_w) + parts[i].offset;
        ck_assert_msg(memcmp(got[i], want, (size_t)parts[i].count * sizeof *want) == 0, "part %d", i);
        ck_assert(got[i][parts[i].count] == 0);
        free(got[i]);
    }
}

/* Small ones that share a slot, a large one across slots, empty ones; announced as a whole, in part, and not at all. */
START_TEST(test_parts) {
    world s = make_world();
    const ms_store_part parts[8] = {{s.x, 1, 3},     {s.w, 0, COUNT},     {s.x, 5, 0}, {s.x, 77777, 600001},
                                    {s.w, COUNT, 0}, {s.w, COUNT - 1, 1}, {s.x, 0, 1}, {s.x, 700000, 1000}};
    const ms_store_part within[3] = {{s.w, 12345, 500000}, {s.x, 700001, 998}, {s.x, 2, 2}};
    check_parts(&s, parts, 8);
    ms_must(ms_store_announce(s.store, parts, 8));
    ms_must(ms_program_run(s.program));
    check_parts(&s, parts, 8);
    check_parts(&s, within, 3);
    ck_assert_int_gt(*held_back, 0);
    const ms_store_part beyond = {s.x, 2, 3}; /* of 2, 3 and 4 only two were announced */
    check_parts(&s, &beyond, 1);
    ck_assert((*held_back == 0) == has_one_queue);
    ms_store_part bad = {s.x, COUNT - 1, 2};
    float two[2];
    void *out = two;
    ck_assert_int_eq(ms_store_download_parts(s.store, &bad, 1, &out), MS_INVALID);
    ck_assert_int_eq(ms_store_announce(s.store, &bad, 1), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "variable x: elements"));
    free_world(&s);
}
END_TEST

/* As much host memory as was announced, once; none with a queue for copies. */
START_TEST(test_memory_of_announcements) {
    world s = make_world();
    const ms_store_part parts[2] = {{s.x, 0, COUNT}, {s.w, 0, COUNT}};
    size_t before = ms_device_allocated_bytes(s.device);
    for (int i = 0; i < 4; i++) {
        ms_must(ms_store_announce(s.store, parts, 2));
        size_t taken = ms_device_allocated_bytes(s.device) - before, wanted = 2 * COUNT * sizeof(float);
        if (has_one_queue)
            ck_assert_msg(taken >= wanted && taken < wanted + 65536, "%zu bytes taken of %zu", taken, wanted);
        else
            ck_assert_uint_eq(taken, 0);
    }
    free_world(&s);
}
END_TEST

int main(int argc, char **argv) {
    const char *queues = getenv("VULKAN_QUEUES");
    /* The loader has not opened it yet, and will then be given the same one. */
    void *layer = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (layer) held_back = dlsym(layer, "muonscope_held_back");
    if (!held_back || !queues) {
        fprintf(stderr, "usage: VULKAN_QUEUES=one|two|family %s LAYER_LIBRARY\n", argv[0]);
        return 2;
    }
    has_one_queue = strcmp(queues, "one") == 0;
    Suite *suite = suite_create("beside");
    TCase *tests = tcase_create("beside");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, test_announced_download_leaves_work_undone);
    tcase_add_test(tests, test_unannounced_download);
    tcase_add_test(tests, test_written_after_it_was_announced);
    tcase_add_test(tests, test_parts);
    tcase_add_test(tests, test_memory_of_announcements);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
