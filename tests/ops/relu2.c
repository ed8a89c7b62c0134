#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float x = ((const float *)in[0])[i], r = x < 0 ? 0.0f : x;
        ((float *)out[0])[i] = r * r;
    }
}

void ms_test_relu2(void) { ms_case_check_all(MS_OP_RELU2, reference); }
