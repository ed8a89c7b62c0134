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

/* The slope of silu cancels: s (1 + g (1 - s)) is measured against s (1 + |g|). */
static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *gate = in[0], *up = in[1], *dy = in[2];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = fabs((double)dy[i] * (double)up[i]) / (1 + exp(-(double)gate[i])) * (1 + fabs((double)gate[i]));
}

void ms_cases_swiglu_grad(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_SWIGLU_GRAD);
        for (int k = 0; k < 3; k++)
            ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i]), k == 0 ? MS_CASE_SPARSE : MS_CASE_NORMAL);
        test.reference = reference;
        test.magnitude = magnitude;
        test.bound = 24; /* sigmoid 8 twice, and six operations */
        ms_case_check(&test);
    }
}
