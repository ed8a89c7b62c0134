#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float x0 = ((const float *)in[0])[i], x1 = ((const float *)in[1])[i];
        float rest = x0 < 0 || x0 > 0 ? 0.0f : x0; /* 0 or NaN */
        ((float *)out[0])[i] = ((x0 < 0 && x1 > 0) || (x0 > 0 && x1 < 0) ? 0.0f : x1) + rest;
    }
}

void ms_test_same_sign(void) { ms_case_check_all(MS_OP_SAME_SIGN, reference); }
