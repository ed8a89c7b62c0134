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

void ms_test_ema_nesterov(void) { ms_case_check_all(MS_OP_EMA_NESTEROV, reference); }
