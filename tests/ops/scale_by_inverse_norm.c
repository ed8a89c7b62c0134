#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x = in[0], *ss = in[1];
    const ms_inverse_norm_attributes *attributes = &test->attributes.inverse_norm;
    int64_t batch = ms_shape_count(&test->shape[1]), size = ms_shape_count(&test->shape[0]) / batch;
    for (int64_t i = 0; i < batch * size; i++)
        ((float *)out[0])[i] = x[i] * ms_reciprocal(attributes->factor * ms_sqrt(ss[i / size]) + attributes->epsilon);
}

void ms_cases_scale_by_inverse_norm(void) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {3, 7, 5}, {2, 97, 64}, {5, 131, 257}};
    for (int i = 0; i < 4; i++) {
        ms_op_case test = ms_case_of(MS_OP_SCALE_BY_INVERSE_NORM);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_3(shapes[i][0], shapes[i][1], shapes[i][2]), MS_CASE_SPARSE);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(shapes[i][0], 1), MS_CASE_POSITIVE);
        test.attributes.inverse_norm.factor = 1.01f;
        test.attributes.inverse_norm.epsilon = 1e-7f;
        test.reference = reference;
        test.bound = 10; /* sqrt 3.9, product, sum, reciprocal 2.5, product */
        ms_case_check(&test);
    }
}
