#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    memcpy(out[0], in[0], (size_t)ms_shape_count(&test->shape[0]) * ms_dtype_size(test->dtype[0]));
}

void ms_test_reshape(void) { ms_case_check_all(MS_OP_RESHAPE, reference); }
