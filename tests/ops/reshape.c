#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    memcpy(out[0], in[0], (size_t)ms_shape_count(&test->shape[0]) * ms_dtype_size(test->dtype[0]));
}

void ms_cases_reshape(void) {
    static const int64_t sizes[] = {1, 77, 70001};
    static const ms_dtype dtypes[] = {MS_DTYPE_F32, MS_DTYPE_BF16, MS_DTYPE_I32};
    for (int i = 0; i < 9; i++) {
        ms_op_case test = ms_case_of(MS_OP_RESHAPE);
        ms_case_input(&test, dtypes[i % 3], ms_shape_2(sizes[i / 3], 6), MS_CASE_WIDE);
        test.attributes.shape.shape = ms_shape_3(2, 3, sizes[i / 3]);
        test.low = -9, test.high = 9;
        test.reference = reference;
        test.skip_special = true;
        ms_case_check(&test);
    }
}
