#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const int32_t *index = in[2];
    size_t row_bytes = (size_t)test->shape[0].dim[1] * ms_dtype_size(test->dtype[0]);
    memcpy(out[0], in[0], (size_t)test->shape[0].dim[0] * row_bytes);
    for (int64_t n = 0; n < test->shape[1].dim[0]; n++)
        if (index[n] >= 0 && index[n] < test->shape[0].dim[0])
            memcpy((char *)out[0] + (size_t)index[n] * row_bytes, (const char *)in[1] + (size_t)n * row_bytes,
                   row_bytes);
}

void ms_test_insert_rows(void) { ms_case_check_all(MS_OP_INSERT_ROWS, reference); }
