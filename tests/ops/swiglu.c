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

void ms_test_swiglu(void) { ms_case_check_all(MS_OP_SWIGLU, reference); }
