#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x = in[0], *ss = in[1];
    const ms_inverse_norm_attributes *attributes = &test->attributes.inverse_norm;
    int64_t batch = ms_shape_count(&test->shape[1]), size = ms_shape_count(&test->shape[0]) / batch;
    for (int64_t i = 0; i < batch * size; i++)
        ((float *)out[0])[i] = x[i] * ms_reciprocal(attributes->factor * ms_sqrt(ss[i / size]) + attributes->epsilon);
}

void ms_test_scale_by_inverse_norm(void) { ms_case_check_all(MS_OP_SCALE_BY_INVERSE_NORM, reference); }
