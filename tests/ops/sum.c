#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    *(float *)out[0] = ms_naive_reduce(in[0], ms_shape_count(&test->shape[0]));
}

void ms_test_sum(void) {
    ms_case_check_all(MS_OP_SUM, reference);
    /* -0 survives: nothing is added to a literal zero */
    float zero = -0.0f;
    float sum = ms_naive_reduce(&zero, 1);
    ck_assert(signbit(sum));
}
