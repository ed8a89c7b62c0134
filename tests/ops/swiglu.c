#include "tests/ops/cases.h"

static float sigmoid(float x) {
    float e = ms_exp(-fabsf(x));
    return (x < 0 ? e : 1.0f) * ms_reciprocal(1.0f + e);
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *gate = in[0], *up = in[1];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        ((float *)out[0])[i] = (gate[i] * sigmoid(gate[i])) * up[i];
}

void ms_cases_swiglu(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_SWIGLU);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i]), i == 4 ? MS_CASE_WIDE : MS_CASE_SPARSE);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i]), MS_CASE_NORMAL);
        test.reference = reference;
        test.bound = 12;           /* exp 2.1, 1 + e 1, reciprocal 2.5 and its argument 1, three products */
        test.skip_oracle = i == 4; /* gates below -41.5 give 0 here */
        ms_case_check(&test);
    }
}
