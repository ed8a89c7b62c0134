#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_sum_squares_attributes *attributes = &test->attributes.sum_squares;
    const float *x = in[0];
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    int64_t count = ms_shape_count(&test->shape[0]);
    float *squares = malloc((size_t)count * sizeof *squares);
    for (int64_t i = 0; i < count; i++) squares[i] = x[i] * x[i];
    if (attributes->n_groups == 0) {
        *(float *)out[0] = ms_naive_reduce(squares, count);
    } else {
        const float *next = squares;
        for (int64_t i = 0; i < m.batch * attributes->n_groups; i++) {
            int64_t n = attributes->group_rows[i % attributes->n_groups] * m.columns;
            ((float *)out[0])[i] = ms_naive_reduce(next, n);
            next += n;
        }
    }
    free(squares);
}

void ms_test_sum_squares(void) { ms_case_check_all(MS_OP_SUM_SQUARES, reference); }
