/* backend/cases: that every op has cases which its shape rule takes, that comparisons see what they must, and that a
   run sees an element that was not written. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cases/compare.h"
#include "tests/support/suite.h"

START_TEST(every_op_has_cases) {
    ms_op_case test, in_bf16;
    int n = 0, n_bf16 = 0;
    for (; ms_case_make((ms_op)_i, n, &test); n++) {
        ck_assert_int_eq(test.op, _i);
        ck_assert_msg(ms_case_infer(&test) == MS_OK, "case %d: %s", n, ms_status_message());
        if (!ms_case_in_bf16(&test, n, &in_bf16)) continue;
        ck_assert_msg(ms_case_infer(&in_bf16) == MS_OK, "case %d in bf16: %s", n, ms_status_message());
        n_bf16++;
    }
    ck_assert_msg(n >= 4, "%s has %d cases", ms_op_get((ms_op)_i)->name, n);
    ck_assert(n_bf16 == 0 || n_bf16 == n);
}
END_TEST

START_TEST(no_subnormal_input) {
    ms_op_case test = ms_case_of(MS_OP_ADD_RMS_NORM);
    for (int fill = MS_CASE_NORMAL; fill <= MS_CASE_WIDE; fill++)
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(4000), (ms_case_fill)fill);
    float values[4000];
    for (int i = 0; i < test.n_inputs; i++) {
        ms_case_fill_input(&test, i, values);
        for (int e = 0; e < 4000; e++)
            ck_assert(values[e] == 0 || (isfinite(values[e]) && fabsf(values[e]) > 0x1p-60f));
    }
}
END_TEST

static ms_op_case three_numbers(ms_dtype dtype) {
    ms_op_case test = ms_case_of(MS_OP_RESHAPE);
    ms_case_input(&test, dtype, ms_shape_1(3), MS_CASE_NORMAL);
    test.attributes.shape.shape = ms_shape_1(3);
    ck_assert_int_eq(ms_case_infer(&test), MS_OK);
    return test;
}

START_TEST(compares_bits) {
    ms_op_case test = three_numbers(MS_DTYPE_F32);
    uint32_t want[] = {0x7fc00000u, 0x80000000u, 0x3f800000u}, have[] = {0xffc00001u, 0x80000000u, 0x3f800000u};
    ms_case_difference difference = {0};
    ms_case_compare_bits(&test, 0, want, have, &difference);
    ck_assert(!difference.differs); /* NaNs are equal */
    have[1] = 0;
    have[2] ^= 1;
    ms_case_compare_bits(&test, 0, want, have, &difference);
    ck_assert(difference.differs && difference.index == 1); /* zeros of different sign are not */
    ck_assert_uint_eq(difference.expected, 0x80000000u);
    ck_assert_uint_eq(difference.found, 0);
    ms_op_case half = three_numbers(MS_DTYPE_BF16);
    uint16_t want_bf16[] = {0x7fc0, 1, 2}, have_bf16[] = {0xffc1, 1, 3};
    difference = (ms_case_difference){0};
    ms_case_compare_bits(&half, 0, want_bf16, have_bf16, &difference);
    ck_assert(difference.differs && difference.index == 2 && difference.found == 3);
}
END_TEST

START_TEST(compares_with_bounds) {
    ms_op_case test = three_numbers(MS_DTYPE_F32);
    double oracle[] = {1, -2, HUGE_VAL}, bound[] = {0.5, 0.5, 0.5};
    float have[] = {1.25f, -2.5f, INFINITY};
    ms_case_difference difference = {0};
    ms_case_compare_oracle(&test, 0, oracle, have, bound, &difference);
    ck_assert(!difference.differs && difference.worst == 1);
    static const float wrong[] = {1.75f, NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        have[0] = wrong[i];
        difference = (ms_case_difference){0};
        ms_case_compare_oracle(&test, 0, oracle, have, bound, &difference);
        ck_assert(difference.differs && difference.index == 0 && difference.worst > 1);
    }
    have[0] = 1;
    have[2] = 3e38f; /* where an infinity belongs */
    difference = (ms_case_difference){0};
    ms_case_compare_oracle(&test, 0, oracle, have, bound, &difference);
    ck_assert(difference.differs && difference.index == 2);
}
END_TEST

static const ms_matmul_rounding tensor_cores = {
    .factor = 0x1p-10, .attention_factor = 0x1p-11, .attention_weight = 0x1p-8, .sum = 0x1p-23};
static const ms_matmul_rounding plain_f32 = {0, 0, 0, 0};

/* [1,3] times [3,7] whose elements are all x, computed with factors cut down to 1: whether the bound allows it, and the
   error over the bound. */
static bool allows_ones(float x, const ms_matmul_rounding *rounding, double *out_worst) {
    ms_op_case test;
    float a[3] = {x, x, x}, b[21], have[7];
    double oracle_values[7], *bounds[MS_MAX_OUTPUTS];
    ck_assert(ms_case_make(MS_OP_MATMUL, 4, &test));
    ck_assert_int_eq(ms_case_infer(&test), MS_OK);
    ck_assert(ms_shape_count(&test.shape[0]) == 3 && ms_shape_count(&test.shape[1]) == 21);
    for (int i = 0; i < 21; i++) b[i] = x;
    for (int i = 0; i < 7; i++) oracle_values[i] = 3 * (double)x * (double)x, have[i] = 3;
    ms_case_values oracle = {.in = {a, b}, .out = {oracle_values}};
    ck_assert_int_eq(ms_case_bounds(&test, &oracle, rounding, bounds), MS_OK);
    ms_case_difference difference = {0};
    ms_case_compare_oracle(&test, 0, oracle_values, have, bounds[0], &difference);
    free(bounds[0]);
    *out_worst = difference.worst;
    return !difference.differs;
}

/* Factors that lose all that TF32 may cut off all but reach the bound; what bf16 or f32 products would lose is
   beyond. */
START_TEST(product_bound_is_reached) {
    double worst;
    ck_assert(allows_ones(1 + 0x1p-10f - 0x1p-23f, &tensor_cores, &worst));
    ck_assert_msg(worst > 0.99, "the largest error of cut factors is %.3f of its bound", worst);
    ck_assert(!allows_ones(1 + 0x1p-10f - 0x1p-23f, &plain_f32, &worst));
    ck_assert(!allows_ones(1 + 0x1p-10f + 0x1p-16f, &tensor_cores, &worst));
    ck_assert(!allows_ones(1 + 0x1p-8f - 0x1p-23f, &tensor_cores, &worst));
}
END_TEST

/* The oracle's output 0 of a case with one element moved: by as little as its bound forbids, and by one step less. */
static void check_smallest_error(ms_device *device, const ms_op_case *test, const ms_matmul_rounding *rounding) {
    ms_case_program *program;
    ms_case_values values;
    ms_case_finding finding;
    ms_case_layout layout = {MS_LAYOUT_PLAIN, -1, 64};
    double *bounds[MS_MAX_OUTPUTS];
    ck_assert_int_eq(ms_case_program_create(device, test, layout, &program), MS_OK);
    ck_assert_int_eq(ms_case_values_init(test, &values), MS_OK);
    ck_assert_int_eq(ms_case_program_run(program, &values, &finding), MS_OK);
    ck_assert_int_eq(ms_case_bounds(test, &values, rounding, bounds), MS_OK);
    int64_t count = ms_shape_count(&test->out[0].shape);
    bool in_bf16 = test->out[0].dtype == MS_DTYPE_BF16;
    size_t size = ms_dtype_size(test->out[0].dtype);
    unsigned char *have = malloc((size_t)count * size);
    for (int64_t i = 0; i < count; i++) {
        float rounded = in_bf16 ? 0 : (float)((const double *)values.out[0])[i];
        memcpy(have + (size_t)i * size,
               in_bf16 ? (const char *)values.out[0] + (size_t)i * size : (const char *)&rounded, size);
    }
    int64_t at = count / 2;
    uint32_t bits = ms_case_beyond(test, 0, values.out[0], bounds[0], at);
    for (int beyond = 1; beyond >= 0; beyond--) {
        if (!beyond) bits += bits >> (8 * size - 1) ? 1u : -1u;
        memcpy(have + (size_t)at * size, &bits, size);
        ms_case_difference difference = {0};
        ms_case_compare_oracle(test, 0, values.out[0], have, bounds[0], &difference);
        ck_assert_msg(difference.differs == (bool)beyond, "%s: an error of %.9f of the bound",
                      ms_op_get(test->op)->name, difference.worst);
        ck_assert(!beyond || difference.index == at);
    }
    free(have);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) free(bounds[k]);
    ms_case_values_finish(&values);
    ms_case_program_destroy(program);
}

START_TEST(smallest_error_is_seen) {
    static const ms_op ops[] = {MS_OP_MATMUL, MS_OP_GRAM, MS_OP_ATTENTION, MS_OP_ATTENTION_GRAD,
                                MS_OP_TIED_CROSS_ENTROPY};
    ms_device_options options = {.name = "cpu", .numerics = MS_NUMERICS_ORACLE};
    ms_device *device;
    ms_op_case test, in_bf16;
    ck_assert_int_eq(ms_device_open(&options, &device), MS_OK);
    for (int i = 0; i < 6; i++) {
        ck_assert(ms_case_make(ops[_i], i, &test));
        ck_assert_int_eq(ms_case_infer(&test), MS_OK);
        check_smallest_error(device, &test, &tensor_cores);
        check_smallest_error(device, &test, &plain_f32);
        check_smallest_error(device, &test, NULL);
        ck_assert(ms_case_in_bf16(&test, i, &in_bf16));
        ck_assert_int_eq(ms_case_infer(&in_bf16), MS_OK);
        check_smallest_error(device, &in_bf16, &tensor_cores);
    }
    ms_device_close(device);
}
END_TEST

/* A NaN is lost only where both references have one. */
START_TEST(lost_nan) {
    ms_op_case test = three_numbers(MS_DTYPE_F32);
    float exact_values[] = {NAN, NAN, 1}, have[] = {NAN, 2, 3};
    double oracle_values[] = {NAN, 2, NAN};
    ms_case_values exact = {.out = {exact_values}}, oracle = {.out = {oracle_values}};
    ms_case_references references = {&exact, &oracle};
    ms_case_difference difference = {0};
    ms_case_compare_nan(&test, 0, &references, have, false, &difference);
    ck_assert(!difference.differs);
    have[0] = INFINITY;
    ms_case_compare_nan(&test, 0, &references, have, true, &difference);
    ck_assert(!difference.differs);
    ms_case_compare_nan(&test, 0, &references, have, false, &difference);
    ck_assert(difference.differs && difference.index == 0);
    have[0] = 0;
    difference = (ms_case_difference){0};
    ms_case_compare_nan(&test, 0, &references, have, true, &difference);
    ck_assert(difference.differs && difference.index == 0);
}
END_TEST

/* Without normalisation qk_norm_rope_grad leaves its second output as it is; said to be present, it is missed. */
START_TEST(sees_what_is_not_written) {
    ms_device_options options = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 2};
    ms_device *device;
    ck_assert_int_eq(ms_device_open(&options, &device), MS_OK);
    ms_op_case test;
    ck_assert(ms_case_make(MS_OP_QK_NORM_ROPE_GRAD, 4, &test));
    ck_assert_uint_eq(test.absent_outputs, 2);
    for (int claimed = 0; claimed < 2; claimed++) {
        if (claimed) test.absent_outputs = 0;
        ck_assert_int_eq(ms_case_infer(&test), MS_OK);
        ms_case_program *program;
        ms_case_values values;
        ms_case_finding finding;
        ms_case_layout layout = {MS_LAYOUT_PLAIN, -1, 33};
        ck_assert_int_eq(ms_case_program_create(device, &test, layout, &program), MS_OK);
        ck_assert_int_eq(ms_case_values_init(&test, &values), MS_OK);
        ck_assert_int_eq(ms_case_program_run(program, &values, &finding), MS_OK);
        ck_assert_int_eq(finding.memory, claimed ? MS_CASE_MEMORY_UNWRITTEN : MS_CASE_MEMORY_GOOD);
        ck_assert(!claimed || (finding.is_output && finding.operand == 1 && finding.index == 0));
        ms_case_values_finish(&values);
        ms_case_program_destroy(program);
    }
    ms_device_close(device);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cases");
    TCase *tests = tcase_create("cases");
    tcase_add_loop_test(tests, every_op_has_cases, 0, MS_OP_COUNT);
    tcase_add_test(tests, no_subnormal_input);
    tcase_add_test(tests, compares_bits);
    tcase_add_test(tests, compares_with_bounds);
    tcase_add_test(tests, product_bound_is_reached);
    tcase_add_loop_test(tests, smallest_error_is_seen, 0, 5);
    tcase_add_test(tests, lost_nan);
    tcase_add_test(tests, sees_what_is_not_written);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
