/* The model of a step: its sums, which rate bounds what, and what a user gets to read. */
#include "cli/bench/model.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "cli/bench/count.h"
#include "cli/bench/floor.h"
#include "cli/config/trainer_config.h"
#include "tests/support/suite.h"

static ms_device *device; /* any: for its plan */

static void open_device(void) {
    ms_device_options options = {.name = "cpu"};
    ck_assert_msg(ms_device_open(&options, &device) == MS_OK, "%s", ms_status_message());
}

static void close_device(void) { ms_device_close(device); }

static ms_trainer_options small_options(ms_dtype storage, int accumulation) {
    ms_config config;
    ms_config_defaults(&config);
    ck_assert_int_eq(ms_config_load_preset(&config, "micro"), MS_OK);
    ms_trainer_options options = ms_trainer_options_from_config(&config, 64);
    options.model.storage = storage;
    options.accumulation = accumulation;
    return options;
}

static ms_trainer *open_options(const ms_trainer_options *options) {
    ms_trainer *trainer;
    ck_assert_msg(ms_trainer_open(device, options, &trainer) == MS_OK, "%s", ms_status_message());
    return trainer;
}

static ms_trainer *open_trainer(ms_dtype storage, int accumulation) {
    ms_trainer_options options = small_options(storage, accumulation);
    return open_options(&options);
}

static ms_modelled_step model(const ms_trainer *trainer, ms_target_backend backend, double f32, double tf32,
                              double bf16, double bandwidth) {
    ms_bench_target target = {"t", "a target", backend, f32, tf32, bf16, bandwidth, 1, 1, 2048, 1, 1, "nowhere"};
    ms_modelled_step step;
    ck_assert_int_eq(ms_bench_model_step(trainer, &target, &step), MS_OK);
    return step;
}

static void expect_near(double got, double wanted) {
    ck_assert_msg(fabs(got - wanted) <= 1e-9 * fabs(wanted), "%.17g, wanted %.17g", got, wanted);
}

START_TEST(sums_are_those_of_the_graphs) {
    for (int accumulation = 1; accumulation <= 3; accumulation += 2) {
        ms_trainer *trainer = open_trainer(MS_DTYPE_F32, accumulation);
        ms_modelled_step step = model(trainer, MS_TARGET_CUDA, 1, 2, 4, 10);
        ms_modelled_work sum = {0};
        for (int i = 0; i < MS_OP_COUNT; i++) {
            ms_modelled_work op = ms_modelled_op(&step, (ms_op)i);
            sum.n_nodes += op.n_nodes;
            sum.n_kernels += op.n_kernels;
            sum.flops += op.flops;
            sum.bytes += op.bytes;
            sum.seconds += op.seconds;
            ms_bench_work_add(&op.expected, 1, &sum.expected);
        }
        ms_modelled_work update = ms_modelled_part(&step, MS_MODEL_OPTIMIZER);
        ck_assert_int_eq(step.total.n_nodes, trainer->facts.nodes_per_step);
        ck_assert_int_eq(sum.n_nodes, step.total.n_nodes);
        ck_assert_int_eq(sum.n_kernels, step.total.n_kernels);
        expect_near(step.total.flops, trainer->facts.step_flops);
        expect_near(sum.flops, step.total.flops);
        expect_near(sum.bytes, step.total.bytes);
        expect_near(sum.seconds, step.total.seconds);
        expect_near(sum.expected.seconds, step.total.expected.seconds);
        ck_assert(step.total.bytes >= trainer->facts.step_bytes);
        ck_assert(update.flops > 0 && update.flops < step.total.flops);
        ck_assert_int_lt(step.total.n_kernels, step.total.n_nodes); /* results are computed in their variables */
        double by = 0;
        for (int i = 0; i < MS_LIMIT_COUNT; i++) by += sum.expected.seconds_by[i];
        expect_near(by, sum.expected.seconds);
        ms_trainer_close(trainer);
    }
}
END_TEST

START_TEST(the_slowest_of_memory_and_arithmetic_bounds) {
    ms_trainer *trainer = open_trainer(MS_DTYPE_F32, 1);
    ms_modelled_step slow_memory = model(trainer, MS_TARGET_CUDA, 1e6, 1e6, 1e6, 1e-3);
    expect_near(slow_memory.total.seconds, slow_memory.total.bytes / 1e6);
    expect_near(slow_memory.total.seconds_on_memory, slow_memory.total.seconds);
    /* Matmuls and the rest run beside each other, so a node takes the longer of two parts of its FLOPs. */
    ms_modelled_step slow_units = model(trainer, MS_TARGET_CUDA, 1e-6, 1e-6, 1e-6, 1e12);
    double all = slow_units.total.flops / 1e6, matmuls = trainer->facts.contraction_flops / 1e6;
    ck_assert(slow_units.total.seconds <= all && slow_units.total.seconds >= matmuls);
    ms_modelled_work matmul = ms_modelled_op(&slow_units, MS_OP_MATMUL);
    ck_assert(matmul.seconds <= matmul.flops / 1e6 && matmul.seconds > 0.9 * matmul.flops / 1e6);
    ck_assert_double_eq(matmul.seconds_on_memory, 0);
    ms_trainer_close(trainer);
}
END_TEST

START_TEST(matrix_units_count_where_the_backend_uses_them) {
    enum { F32_STORAGE, BF16_STORAGE };
    const ms_dtype storages[] = {MS_DTYPE_F32, MS_DTYPE_BF16};
    for (int i = F32_STORAGE; i <= BF16_STORAGE; i++) {
        ms_trainer *trainer = open_trainer(storages[i], 1);
        double plain = model(trainer, MS_TARGET_CUDA, 1e-3, 1e-3, 1e-3, 1e12).total.seconds;
        double tf32 = model(trainer, MS_TARGET_CUDA, 1e-3, 2e-3, 1e-3, 1e12).total.seconds;
        double bf16 = model(trainer, MS_TARGET_CUDA, 1e-3, 1e-3, 2e-3, 1e12).total.seconds;
        ck_assert_double_lt(tf32, plain); /* bf16 storage too: Muon's matmuls are f32 */
        if (i == F32_STORAGE) ck_assert_double_eq(bf16, plain);
        if (i == BF16_STORAGE) ck_assert_double_lt(bf16, plain);
        ck_assert_double_eq(model(trainer, MS_TARGET_CUDA, 1e-3, 0, 0, 1e12).total.seconds, plain);
        ck_assert_double_eq(model(trainer, MS_TARGET_VULKAN, 1e-3, 2e-3, 2e-3, 1e12).total.seconds, plain);
        ms_trainer_close(trainer);
    }
    ms_trainer *wide = open_trainer(MS_DTYPE_F32, 1), *narrow = open_trainer(MS_DTYPE_BF16, 1);
    ck_assert_double_lt(model(narrow, MS_TARGET_CUDA, 1, 1, 1, 1).total.bytes,
                        model(wide, MS_TARGET_CUDA, 1, 1, 1, 1).total.bytes);
    ms_trainer_close(wide);
    ms_trainer_close(narrow);
}
END_TEST

/* What kernels do is never less than what the graph needs, and never faster than the bound. */
static void check_bounds(const ms_trainer *trainer, const char *name) {
    const ms_bench_target *target;
    ms_modelled_step step;
    ck_assert_int_eq(ms_bench_target_find(name, &target), MS_OK);
    ck_assert_int_eq(ms_bench_model_step(trainer, target, &step), MS_OK);
    for (int part = 0; part < MS_MODEL_PART_COUNT; part++)
        for (int op = 0; op < MS_OP_COUNT; op++) {
            const ms_modelled_work *row = &step.rows[part][op];
            ck_assert_msg(row->expected.seconds >= row->seconds, "%s: %s of part %d: %g s, bound %g", target->name,
                          ms_op_get((ms_op)op)->name, part, row->expected.seconds, row->seconds);
            ck_assert_msg(row->expected.bytes >= row->bytes, "%s: %s of part %d: %.17g bytes moved, %.17g at least",
                          target->name, ms_op_get((ms_op)op)->name, part, row->expected.bytes, row->bytes);
            ck_assert_msg(row->expected.launches >= (double)row->n_kernels, "%s: %s of part %d: %g launches",
                          target->name, ms_op_get((ms_op)op)->name, part, row->expected.launches);
        }
}

START_TEST(nothing_is_expected_to_beat_its_bound) {
    const char *const names[] = {"h200", "t4", "rtx4090", "rx7900xtx", "arc-b580"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        ms_trainer_options options = small_options(i % 2 ? MS_DTYPE_BF16 : MS_DTYPE_F32, 1);
        ms_trainer *trainer = open_options(&options);
        check_bounds(trainer, names[i / 2]);
        ms_trainer_close(trainer);
        options.model.qk_norm = options.model.merged = options.model.tied_head = false;
        options.model.qkv_bias = true;
        options.model.activation = MS_ACTIVATION_SWIGLU;
        trainer = open_options(&options);
        check_bounds(trainer, names[i / 2]);
        ms_trainer_close(trainer);
    }
}
END_TEST

/* 1 multiprocessor at 1 GHz that holds 1000 threads; 100 GB/s, so 90 expected. */
static const ms_bench_target small = {"t", "a target", MS_TARGET_CUDA, 2e-3, 1, 2, 100, 1, 1, 1000, 1, 0.5, "nowhere"};

START_TEST(a_kernel_takes_as_long_as_what_it_waits_for) {
    ms_bench_work work = {0};
    ms_bench_kernel kernel = {.launches = 2, .bytes = 90e6, .threads = 500, .rounds = 100};
    ms_bench_expect_kernel(&small, &kernel, &work);
    expect_near(work.seconds, 2 * 1e-3);
    expect_near(work.seconds_by[MS_LIMIT_MEMORY], work.seconds);
    expect_near(work.bytes, 180e6);
    expect_near(work.launches, 2);
    kernel.rounds = 10000; /* one thread's chain, as long as there is room for all threads */
    work = (ms_bench_work){0};
    ms_bench_expect_kernel(&small, &kernel, &work);
    expect_near(work.seconds_by[MS_LIMIT_LATENCY], 2 * 10000 * 0.45e-6);
    kernel.resident = 250; /* else in turns */
    work = (ms_bench_work){0};
    ms_bench_expect_kernel(&small, &kernel, &work);
    expect_near(work.seconds_by[MS_LIMIT_LATENCY], 4 * 10000 * 0.45e-6);
    /* Units that two warps of a scheduler keep at work one after the other; four overlap what they can. */
    ms_bench_kernel units = {.launches = 1, .matrix_flops = 1e9, .shared_bytes = 102.4e6, .warps = 2};
    work = (ms_bench_work){0};
    ms_bench_expect_kernel(&small, &units, &work);
    expect_near(work.seconds_by[MS_LIMIT_MATRICES], 1e9 / 0.5e12 + 1e-3);
    units.warps = 4;
    work = (ms_bench_work){0};
    ms_bench_expect_kernel(&small, &units, &work);
    expect_near(work.seconds, 1e9 / 0.5e12);
}
END_TEST

static ms_bench_work count_matmul(ms_dtype left, ms_dtype right) {
    ms_variables *variables;
    ms_graph *graph;
    ms_plan plan;
    ms_plan_options options = {.f32_bytes = 4, .alignment_bytes = 256};
    int a, b, y;
    ck_assert_int_eq(ms_variables_create(&variables), MS_OK);
    ck_assert_int_eq(ms_variables_add(variables, "a", MS_VARIABLE_INPUT, left, ms_shape_2(512, 4096), &a), MS_OK);
    ck_assert_int_eq(ms_variables_add(variables, "b", MS_VARIABLE_INPUT, right, ms_shape_2(4096, 256), &b), MS_OK);
    ck_assert_int_eq(ms_variables_add(variables, "y", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(512, 256), &y),
                     MS_OK);
    ck_assert_int_eq(ms_graph_create(variables, -1, &graph), MS_OK);
    ms_assign(graph,
              ms_matmul(graph, ms_view_all(graph, a), ms_view_all(graph, b), MS_NO_TENSOR,
                        &(ms_matmul_attributes){false, false, 1, 0, MS_DTYPE_F32}),
              ms_view_all(graph, y));
    ck_assert_int_eq(ms_graph_status(graph), MS_OK);
    ck_assert_int_eq(ms_plan_init(graph, &options, &plan), MS_OK);
    const ms_bench_counter counter = {&small, graph, &plan};
    ms_bench_work work = {0};
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) ms_bench_count(&counter, ms_graph_node(graph, i), &work);
    ms_plan_finish(&plan);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
    return work;
}

/* One multiprocessor never splits the depth; cuBLASLt takes no mixture of dtypes. */
START_TEST(products_of_mixed_dtypes_count_their_copies) {
    const double a = 512 * 4096, b = 4096 * 256, y = 512 * 256;
    ms_bench_work wide = count_matmul(MS_DTYPE_F32, MS_DTYPE_F32), narrow = count_matmul(MS_DTYPE_BF16, MS_DTYPE_BF16);
    ms_bench_work mixed = count_matmul(MS_DTYPE_F32, MS_DTYPE_BF16);
    expect_near(wide.bytes, 4 * (a + b + y));
    expect_near(narrow.bytes, 2 * (a + b) + 4 * y);
    expect_near(mixed.bytes, wide.bytes + 6 * b);
    expect_near(wide.launches, 1);
    expect_near(mixed.launches, 2);
    /* Tiles of 128 x 256: their loops, the first numbers' arrival, then what each writes. */
    expect_near(narrow.seconds, 4 * (2. * 128 * 256 * 4096 / 1.6e12 + 0.45e-6 + 4 * 128 * 256 / 90e9));
}
END_TEST

START_TEST(gradients_of_attention_count_seven_products) {
    const ms_bench_target *target;
    ms_modelled_step step;
    ms_trainer *trainer = open_trainer(MS_DTYPE_BF16, 1);
    ck_assert_int_eq(ms_bench_target_find("h200", &target), MS_OK);
    ck_assert_int_eq(ms_bench_model_step(trainer, target, &step), MS_OK);
    ms_modelled_work forward = ms_modelled_op(&step, MS_OP_ATTENTION),
                     gradient = ms_modelled_op(&step, MS_OP_ATTENTION_GRAD);
    expect_near(forward.expected.launches, (double)trainer->options.model.layers);
    expect_near(gradient.expected.launches, 3. * trainer->options.model.layers);
    ms_trainer_close(trainer);
}
END_TEST

/* Heads of at most 32 numbers: every pair of a tile of 64 x 32 costs a multiply-add for each number in scores, of which
   the depth is whole 16ths, and in sums, of which all 32 are made; then 30 an exponential, and 6 or 4 more. */
START_TEST(tiles_of_attention_are_counted_on_vulkan) {
    ms_trainer *trainer = open_trainer(MS_DTYPE_F32, 1);
    const ms_model_config *m = &trainer->options.model;
    ms_modelled_step step = model(trainer, MS_TARGET_VULKAN, 1e-9, 0, 0, 1e12);
    ms_modelled_work forward = ms_modelled_op(&step, MS_OP_ATTENTION),
                     gradient = ms_modelled_op(&step, MS_OP_ATTENTION_GRAD);
    ck_assert_int_le(m->head_size, 32);
    double rows = 64 * ceil((double)m->sequence_length / 64), depth = 16 * ceil(m->head_size / 16.0), pairs = 0;
    for (double first = 0; first < rows; first += 64)
        pairs += 64 * fmin(first + 64, 32 * ceil(m->sequence_length / 32.0));
    pairs *= m->layers * m->heads * (double)trainer->options.batch_sequences;
    double lane_rate = 0.5e12 * 1e-9 * 0.8;
    expect_near(forward.expected.seconds, pairs * (depth + 32 + 36) / lane_rate);
    expect_near(gradient.expected.seconds, pairs * (4 * depth + 3 * 32 + 2 * 34) / lane_rate);
    expect_near(forward.expected.launches, m->layers);
    expect_near(gradient.expected.launches, 4. * m->layers); /* delta, dq, each head's dk and dv, their sums */
    ms_trainer_close(trainer);
}
END_TEST

static double floor_of_step(const ms_trainer *trainer, double f32, double bf16, double bytes) {
    const ms_bench_limits limits = {f32, bf16, bytes};
    double floors[MS_OP_COUNT], sum = 0;
    ms_bench_step_floors(&limits, trainer, floors);
    for (int i = 0; i < MS_OP_COUNT; i++) sum += floors[i];
    return sum;
}

/* Products at the limit of their factors' dtype, operands at that of memory. */
START_TEST(floors_are_those_of_the_dtype) {
    for (int accumulation = 1; accumulation <= 3; accumulation += 2) {
        ms_trainer *trainer = open_trainer(MS_DTYPE_F32, accumulation);
        expect_near(floor_of_step(trainer, 1e9, 0, 0), trainer->facts.contraction_flops / 1e9);
        expect_near(floor_of_step(trainer, 0, 0, 1e9), trainer->facts.step_bytes / 1e9);
        ck_assert(floor_of_step(trainer, 0, 1e9, 0) == 0);
        ck_assert(floor_of_step(trainer, 1e9, 0, 1e9) > floor_of_step(trainer, 1e9, 0, 0));
        ms_trainer_close(trainer);
    }
    ms_trainer *trainer = open_trainer(MS_DTYPE_BF16, 1);
    double in_f32 = floor_of_step(trainer, 1e9, 0, 0), in_bf16 = floor_of_step(trainer, 0, 1e9, 0);
    ck_assert(in_f32 > 0 && in_bf16 > 0);
    expect_near(in_f32 + in_bf16, trainer->facts.contraction_flops / 1e9);
    ms_trainer_close(trainer);
}
END_TEST

START_TEST(targets_are_found_by_name) {
    const ms_bench_target *target;
    ck_assert_int_eq(ms_bench_target_find("h100", &target), MS_OK);
    ck_assert_str_eq(target->name, "h100");
    ck_assert_int_eq(ms_bench_target_find("H100_PCIe", &target), MS_OK);
    ck_assert_str_eq(target->name, "h100-pcie");
    ck_assert_int_eq(ms_bench_target_find("rtx4080", &target), MS_USAGE);
    ck_assert_ptr_null(target);
    const char *message = ms_status_message();
    ck_assert_msg(strstr(message, "unknown target 'rtx4080'; did you mean 'rtx4090'? Known: h100, "), "%s", message);
    ck_assert_msg(strstr(message, ", arc-b580"), "%s", message); /* the last one: nothing was cut off */
    ck_assert_int_eq(ms_bench_target_find("", &target), MS_USAGE);
    ck_assert(strncmp(ms_status_message(), "a name is needed; known: h100, ", 31) == 0);
}
END_TEST

static ms_status print(const char *preset, const char *target, double launch_us, char **out_text) {
    ms_config config;
    size_t size;
    ms_config_defaults(&config);
    ck_assert_int_eq(ms_config_load_preset(&config, preset), MS_OK);
    FILE *stream = open_memstream(out_text, &size);
    ms_status status = ms_bench_model(&config, target, launch_us, stream);
    fclose(stream);
    return status;
}

START_TEST(the_output_says_that_it_is_a_model) {
    char *text;
    ck_assert_msg(print("blueberry-88m", "h100", 2, &text) == MS_OK, "%s", ms_status_message());
    ck_assert(strncmp(text, "A model, not a measurement", 26) == 0);
    const char *expected[] = {"storage f32: 88630528 parameters, 16384 tokens a step",
                              "storage bf16: 88630528 parameters",
                              "\nlayers     matmul ",
                              "\noptimizer  gram ",
                              "figure to beat       640000 tokens/s",
                              "datasheet",
                              "2.0 us between two kernels",
                              "\noptimizer  all "};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_msg(strstr(text, expected[i]), "'%s' is missing in:\n%s", expected[i], text);
    free(text);
    ck_assert_int_eq(print("blueberry-88m", "rx7900xtx", 2, &text), MS_OK);
    ck_assert_ptr_null(strstr(text, "figure to beat")); /* it is one of an H100 */
    free(text);
    const double no_times[] = {-1, 100001, INFINITY, NAN};
    for (size_t i = 0; i < sizeof no_times / sizeof *no_times; i++) {
        ck_assert_int_eq(print("blueberry-88m", "h100", no_times[i], &text), MS_INVALID);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), "must be 0 to 100000 microseconds"));
        free(text);
    }
    ck_assert_int_eq(print("blueberry-88m", "h1000", 2, &text), MS_USAGE);
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_int_eq(print("blueberry-88m", NULL, 2, &text), MS_USAGE);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bench_model");
    TCase *tests = tcase_create("bench_model");
    tcase_add_checked_fixture(tests, open_device, close_device);
    tcase_add_test(tests, sums_are_those_of_the_graphs);
    tcase_add_test(tests, the_slowest_of_memory_and_arithmetic_bounds);
    tcase_add_test(tests, matrix_units_count_where_the_backend_uses_them);
    tcase_add_test(tests, nothing_is_expected_to_beat_its_bound);
    tcase_add_test(tests, a_kernel_takes_as_long_as_what_it_waits_for);
    tcase_add_test(tests, products_of_mixed_dtypes_count_their_copies);
    tcase_add_test(tests, gradients_of_attention_count_seven_products);
    tcase_add_test(tests, tiles_of_attention_are_counted_on_vulkan);
    tcase_add_test(tests, floors_are_those_of_the_dtype);
    tcase_add_test(tests, targets_are_found_by_name);
    tcase_add_test(tests, the_output_says_that_it_is_a_model);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
