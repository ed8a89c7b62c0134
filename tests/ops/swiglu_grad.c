#include "tests/ops/cases.h"

static float sigmoid(float x) {
    float e = ms_exp(-fabsf(x));
    return (x < 0 ? e : 1.0f) * ms_reciprocal(1.0f + e);
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *gate = in[0], *up = in[1], *dy = in[2];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float g = gate[i], s = sigmoid(g), slope = s * (1.0f + g * (1.0f - s));
        ((float *)out[0])[i] = (dy[i] * up[i]) * slope;
        ((float *)out[1])[i] = dy[i] * (g * s);
    }
}

void ms_test_swiglu_grad(void) { ms_case_check_all(MS_OP_SWIGLU_GRAD, reference); }
