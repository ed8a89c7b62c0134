#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    float norm = ms_sqrt(ms_naive_reduce(in[0], ms_shape_count(&test->shape[0])));
    float factor = ms_div(test->attributes.clip_factor.max_norm, norm + 1e-6f);
    ((float *)out[0])[0] = norm;
    ((float *)out[0])[1] = factor > 1 ? 1.0f : factor;
}

void ms_cases_clip_factor(void) {
    static const int64_t sizes[] = {1, 5, 33, 5001};
    for (int i = 0; i < 8; i++) {
        ms_op_case test = ms_case_of(MS_OP_CLIP_FACTOR);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(sizes[i / 2]), MS_CASE_POSITIVE);
        test.attributes.clip_factor.max_norm = i % 2 ? 100.0f : 0.25f;
        test.reference = reference;
        test.bound = ms_case_depth(sizes[i / 2]) / 2 + 9; /* sqrt 3.9, sum 1, reciprocal 2.5, product 1 */
        ms_case_check(&test);
    }
}
