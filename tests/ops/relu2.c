#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float x = ((const float *)in[0])[i], r = x < 0 ? 0.0f : x;
        ((float *)out[0])[i] = r * r;
    }
}

void ms_cases_relu2(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_RELU2);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i]), MS_CASE_SPARSE);
        test.reference = reference;
        test.bound = 1.01;
        ms_case_check(&test);
    }
}
