#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float x = ((const float *)in[0])[i], dy = ((const float *)in[1])[i];
        float t = ms_tanh(0.797884561f * (x + (0.044715f * (x * x)) * x));
        float inner = 0.797884561f * (1.0f + 0.134145f * (x * x));
        float bend = ((0.5f * x) * ((1.0f - t) * (1.0f + t))) * inner;
        ((float *)out[0])[i] = (0.5f * (1.0f + t) + bend) * dy;
    }
}

void ms_test_gelu_tanh_grad(void) { ms_case_check_all(MS_OP_GELU_TANH_GRAD, reference); }
