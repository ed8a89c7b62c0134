/* Planted faults: kernels and references that are wrong in one way each.  The runner must say so, or no test here means
   anything. */
#include "tests/ops/faults.h"

#include <check.h>
#include <string.h>

#include "tests/ops/bf16.h"
#include "tests/ops/runner.h"

static void sum_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    *(float *)out[0] = ms_naive_reduce(in[0], ms_shape_count(&test->shape[0]));
}

/* Adds in plain ascending order. */
static void ascending_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    float sum = 0;
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) sum += ((const float *)in[0])[i];
    *(float *)out[0] = sum;
}

static void copy_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    memcpy(out[0], in[0], (size_t)ms_shape_count(&test->shape[0]) * sizeof(float));
}

static ms_status axpby(const ms_cpu_call *call) {
    return ms_cpu_kernel_find(ms_case_level, MS_NUMERICS_EXACT, MS_OP_AXPBY).run(call);
}

static ms_status overruns(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    ((float *)call->out[0].data)[ms_shape_count(&call->out[0].shape)] = 1;
    return status;
}

static ms_status writes_before(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    ((float *)call->out[0].data)[-1] = 1;
    return status;
}

static ms_status changes_input(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    ((float *)call->in[0].data)[0] += 1;
    return status;
}

/* One bit of one element is wrong when more than one thread works. */
static ms_status depends_on_threads(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    if (ms_pool_size(call->pool) > 1) ((uint32_t *)call->out[0].data)[3] ^= 1u;
    return status;
}

/* One bit of one element is wrong at the narrowest level. */
static ms_status depends_on_level(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    const ms_cpu_level *levels[MS_CASE_LEVELS];
    ms_case_levels(levels);
    if (call->out[0].data && ms_case_level == levels[0]) ((uint32_t *)call->out[0].data)[7] ^= 1u;
    return status;
}

static ms_status misses_last(const ms_cpu_call *call) {
    ms_cpu_call shorter = *call;
    ms_operand out[MS_MAX_OUTPUTS];
    memcpy(out, call->out, sizeof out);
    out[0].shape.dim[0]--;
    shorter.out = out;
    return axpby(&shorter);
}

static ms_status wrong_in_place(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    if (call->out[0].data == call->in[0].data) ((float *)call->out[0].data)[0] = 0;
    return status;
}

static ms_status loses_nan(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    float *y = call->out[0].data;
    if (!y) return status; /* not wanted */
    for (int64_t i = 0; i < ms_shape_count(&call->out[0].shape); i++)
        if (y[i] != y[i]) y[i] = 0;
    return status;
}

static void must_fail(ms_op_test test, const char *text) {
    const char *message = ms_case_failure(&test);
    ck_assert_msg(strstr(message, text) != NULL, "a planted fault gave \"%s\", not \"%s\"", message, text);
}

/* One unit in the last place of bf16 too much. */
static ms_status rounds_up(const ms_cpu_call *call) {
    ms_status status = axpby(call);
    float *y = call->out[0].data;
    if (y) y[5] += y[5] * 0x1p-7f;
    return status;
}

static void check_faults_in_bf16(const ms_op_test *f32_test) {
    ms_op_test test;
    ck_assert(ms_bf16_test(f32_test, 0, &test));
    ck_assert_str_eq(ms_case_failure(&test), "");
    test.kernel = rounds_up;
    must_fail(test, "one thread: output 0, element 5");
    test.kernel = overruns;
    must_fail(test, "workspace overrun");
    test.kernel = wrong_in_place;
    must_fail(test, "one thread: output 0, element 0"); /* widened operands are always worked on in place */
    test.kernel = NULL;
    test.c.attributes.axpby.a = (ms_coefficient){1.03125f, -1}; /* the reference still multiplies by 1 */
    must_fail(test, "one thread: output 0");
}

void ms_check_faults(void) {
    static const struct {
        ms_cpu_kernel kernel;
        const char *text;
    } faults[] = {{overruns, "wrote around output 0"},
                  {writes_before, "wrote around output 0"},
                  {changes_input, "changed input 0"},
                  {depends_on_threads, "several threads: output 0, element 3"},
                  {misses_last, "element 36"},
                  {wrong_in_place, "in place: output 0, element 0"},
                  {loses_nan, "NaN or infinity in an input"}};
    ms_op_test test = {.c = ms_case_of(MS_OP_AXPBY), .reference = copy_reference};
    ms_case_input(&test.c, MS_DTYPE_F32, ms_shape_1(37), MS_CASE_NORMAL);
    test.c.attributes.axpby.a = (ms_coefficient){1, -1};
    test.c.bound = 1;
    ck_assert_str_eq(ms_case_failure(&test), "");
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        test.kernel = faults[i].kernel;
        must_fail(test, faults[i].text);
    }
    const ms_cpu_level *levels[MS_CASE_LEVELS];
    if (ms_case_levels(levels) > 1) { /* not so where MUONSCOPE_CPU_LEVEL chose the narrowest */
        test.kernel = depends_on_level;
        must_fail(test, "x86-64-v2, two threads: output 0, element 7");
    }
    test.kernel = NULL;
    check_faults_in_bf16(&test);
    test.c.attributes.axpby.a = (ms_coefficient){1.0000001f, -1}; /* the reference is off by an ulp */
    must_fail(test, "one thread: output 0");

    ms_op_test sum = {.c = ms_case_of(MS_OP_SUM), .reference = sum_reference};
    ms_case_input(&sum.c, MS_DTYPE_F32, ms_shape_1(4097), MS_CASE_NORMAL);
    sum.c.bound = 0; /* no rounded sum of thousands is exact */
    must_fail(sum, "oracle");
    sum.reference = ascending_reference;
    must_fail(sum, "one thread: output 0");
}
