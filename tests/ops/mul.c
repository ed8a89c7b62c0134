#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    bool scalar = ms_shape_count(&test->shape[1]) == 1;
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) ((float *)out[0])[i] = x0[i] * x1[scalar ? 0 : i];
}

void ms_test_mul(void) { ms_case_check_all(MS_OP_MUL, reference); }
