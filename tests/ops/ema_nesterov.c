#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *m = in[0], *g = in[1], *clip = in[2];
    float momentum = ms_case_coefficient(test, test->attributes.ema_nesterov.momentum);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float part = (1 - momentum) * (clip ? clip[1] * g[i] : g[i]), next = momentum * m[i] + part;
        ((float *)out[0])[i] = next;
        ((float *)out[1])[i] = test->attributes.ema_nesterov.nesterov ? part + momentum * next : next;
    }
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *m = in[0], *g = in[1], *clip = in[2];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = out[1][i] = fabs((double)m[i]) + fabs((double)g[i] * (clip ? (double)clip[1] : 1));
}

void ms_cases_ema_nesterov(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < 4 * MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_EMA_NESTEROV);
        for (int k = 0; k < 2; k++) ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i / 4]), MS_CASE_SPARSE);
        if (i % 2) ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(2), MS_CASE_POSITIVE);
        test.attributes.ema_nesterov.nesterov = i / 2 % 2 == 1;
        test.attributes.ema_nesterov.momentum = i % 3 ? (ms_coefficient){0.95f, -1} : (ms_coefficient){1.0f, 0};
        test.scalars[0] = 0.875f;
        test.reference = reference;
        test.magnitude = magnitude;
        test.bound = 6; /* at most five roundings, 1 - b among them */
        ms_case_check(&test);
    }
}
