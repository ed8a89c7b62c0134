#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_slice_attributes *slice = &test->attributes.slice;
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    if (test->shape[0].rank == 1) m.rows = m.columns, m.columns = 1;
    size_t size = ms_dtype_size(test->dtype[0]);
    memcpy(out[0], in[0], (size_t)ms_shape_count(&test->shape[0]) * size);
    for (int64_t b = 0; b < m.batch; b++)
        for (int64_t r = 0; r < slice->count; r++)
            memcpy((char *)out[0] + (size_t)((b * m.rows + slice->begin + r) * m.columns) * size,
                   (const char *)in[1] + (size_t)((b * slice->count + r) * m.columns) * size, (size_t)m.columns * size);
}

void ms_test_insert(void) { ms_case_check_all(MS_OP_INSERT, reference); }
