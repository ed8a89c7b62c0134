#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    *(float *)out[0] = ms_naive_reduce(in[0], ms_shape_count(&test->shape[0]));
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    out[0][0] = 0;
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) out[0][0] += fabs((double)((const float *)in[0])[i]);
}

static void check(ms_shape shape, ms_case_fill fill) {
    ms_op_case test = ms_case_of(MS_OP_SUM);
    ms_case_input(&test, MS_DTYPE_F32, shape, fill);
    test.reference = reference;
    test.magnitude = magnitude;
    test.bound = ms_case_depth(ms_shape_count(&shape)) + 1;
    ms_case_check(&test);
}

void ms_cases_sum(void) {
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 97, 4095, 4096, 4097, 8192, 140003};
    for (int i = 0; i < 17; i++) check(ms_shape_1(sizes[i]), i % 2 ? MS_CASE_WIDE : MS_CASE_NORMAL);
    check(ms_shape_3(3, 41, 97), MS_CASE_SPARSE);
    /* -0 survives: nothing is added to a literal zero */
    float zero = -0.0f;
    float sum = ms_naive_reduce(&zero, 1);
    ck_assert(signbit(sum));
}
