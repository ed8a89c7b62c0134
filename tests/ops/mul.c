#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    bool scalar = ms_shape_count(&test->shape[1]) == 1;
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) ((float *)out[0])[i] = x0[i] * x1[scalar ? 0 : i];
}

void ms_cases_mul(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < 2 * MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_MUL);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(1, sizes[i / 2]), MS_CASE_SPARSE);
        ms_case_input(&test, MS_DTYPE_F32, i % 2 ? ms_shape_2(1, sizes[i / 2]) : ms_shape_1(1), MS_CASE_WIDE);
        test.reference = reference;
        test.bound = 1.01;
        ms_case_check(&test);
    }
}
