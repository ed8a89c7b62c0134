#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    float a = ms_case_coefficient(test, test->attributes.axpby.a),
          b = ms_case_coefficient(test, test->attributes.axpby.b);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        ((float *)out[0])[i] = x1 ? a * x0[i] + b * x1[i] : a * x0[i];
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    float a = ms_case_coefficient(test, test->attributes.axpby.a),
          b = ms_case_coefficient(test, test->attributes.axpby.b);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = fabs((double)a * (double)x0[i]) + (x1 ? fabs((double)b * (double)x1[i]) : 0);
}

void ms_cases_axpby(void) {
    static const int64_t sizes[] = MS_CASE_SIZES;
    for (int i = 0; i < 2 * MS_CASE_N_SIZES; i++) {
        ms_op_case test = ms_case_of(MS_OP_AXPBY);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i / 2]), MS_CASE_WIDE);
        if (i % 2) {
            ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i / 2]), MS_CASE_SPARSE);
        } else {
            ms_case_absent(&test);
        }
        test.attributes.axpby.a = (ms_coefficient){0.9f, 1};
        test.attributes.axpby.b = (ms_coefficient){-1.1f, i % 3 ? 2 : -1};
        test.scalars[1] = 0.3f, test.scalars[2] = 7.0f;
        test.reference = reference;
        test.magnitude = magnitude;
        test.bound = 3.01; /* coefficient, product, sum */
        ms_case_check(&test);
    }
}
