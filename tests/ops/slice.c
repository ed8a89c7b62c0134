#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_slice_attributes *slice = &test->attributes.slice;
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    if (test->shape[0].rank == 1) m.rows = m.columns, m.columns = 1;
    size_t size = ms_dtype_size(test->dtype[0]);
    for (int64_t b = 0; b < m.batch; b++)
        for (int64_t r = 0; r < slice->count; r++)
            for (int64_t c = 0; c < m.columns; c++)
                memcpy((char *)out[0] + (size_t)((b * slice->count + r) * m.columns + c) * size,
                       (const char *)in[0] + (size_t)((b * m.rows + slice->begin + r) * m.columns + c) * size, size);
}

static void check(ms_dtype dtype, ms_shape shape, int64_t begin, int64_t count) {
    ms_op_case test = ms_case_of(MS_OP_SLICE);
    ms_case_input(&test, dtype, shape, MS_CASE_WIDE);
    test.attributes.slice.begin = begin;
    test.attributes.slice.count = count;
    test.low = -9, test.high = 9;
    test.reference = reference;
    test.skip_special = true;
    ms_case_check(&test);
}

void ms_cases_slice(void) {
    static const ms_dtype dtypes[] = {MS_DTYPE_F32, MS_DTYPE_BF16, MS_DTYPE_I32};
    for (int i = 0; i < 3; i++) {
        check(dtypes[i], ms_shape_1(1), 0, 1);
        check(dtypes[i], ms_shape_1(101), 13, 57);
        check(dtypes[i], ms_shape_2(7, 5), 6, 1);
        check(dtypes[i], ms_shape_2(31, 17), 0, 31);
        check(dtypes[i], ms_shape_3(5, 11, 64), 3, 7);
        check(dtypes[i], ms_shape_2(5, 100003), 1, 3);
    }
}
