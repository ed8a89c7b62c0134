#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_sum_squares_attributes *segments = &test->attributes.sum_squares;
    const float *x = in[0];
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    int64_t count = ms_shape_count(&test->shape[0]);
    float *squares = malloc((size_t)count * sizeof *squares);
    for (int64_t i = 0; i < count; i++) squares[i] = x[i] * x[i];
    if (segments->n_segments == 0) {
        *(float *)out[0] = ms_naive_reduce(squares, count);
    } else {
        const float *next = squares;
        for (int64_t i = 0; i < m.batch * segments->n_segments; i++) {
            int64_t n = segments->segment_rows[i % segments->n_segments] * m.columns;
            ((float *)out[0])[i] = ms_naive_reduce(next, n);
            next += n;
        }
    }
    free(squares);
}

static void check(ms_shape shape, int n_segments, const int64_t *rows) {
    ms_op_case test = ms_case_of(MS_OP_SUM_SQUARES);
    ms_case_input(&test, MS_DTYPE_F32, shape, MS_CASE_SPARSE);
    test.attributes.sum_squares.n_segments = n_segments;
    for (int i = 0; i < n_segments; i++) test.attributes.sum_squares.segment_rows[i] = rows[i];
    test.reference = reference;
    test.bound = ms_case_depth(ms_shape_count(&shape)) + 1;
    ms_case_check(&test);
}

void ms_cases_sum_squares(void) {
    static const int64_t sizes[] = {1, 31, 32, 33, 4096, 4097, 70001};
    for (int i = 0; i < 7; i++) check(ms_shape_1(sizes[i]), 0, NULL);
    check(ms_shape_3(3, 7, 5), 0, NULL);
    check(ms_shape_3(3, 7, 5), 1, (const int64_t[]){7});
    check(ms_shape_3(5, 96, 65), 3, (const int64_t[]){64, 1, 31});
    check(ms_shape_2(130, 67), 4, (const int64_t[]){1, 65, 33, 31});
    check(ms_shape_1(11), 1, (const int64_t[]){1});
}
