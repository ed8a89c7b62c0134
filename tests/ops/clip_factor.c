#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    float norm = ms_sqrt(ms_naive_reduce(in[0], ms_shape_count(&test->shape[0])));
    float factor = ms_div(test->attributes.clip_factor.max_norm, norm + 1e-6f);
    ((float *)out[0])[0] = norm;
    ((float *)out[0])[1] = factor > 1 ? 1.0f : factor;
}

void ms_test_clip_factor(void) { ms_case_check_all(MS_OP_CLIP_FACTOR, reference); }
