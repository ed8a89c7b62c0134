#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    float a = ms_case_coefficient(test, test->attributes.axpby.a),
          b = ms_case_coefficient(test, test->attributes.axpby.b);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        ((float *)out[0])[i] = x1 ? a * x0[i] + b * x1[i] : a * x0[i];
}

void ms_test_axpby(void) { ms_case_check_all(MS_OP_AXPBY, reference); }
