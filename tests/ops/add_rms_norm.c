#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x0 = in[0], *x1 = in[1], *gain = in[2];
    int64_t columns = test->shape[0].dim[1];
    float *squares = malloc((size_t)columns * sizeof *squares);
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
        float *sum = (float *)out[0] + n * columns;
        for (int64_t c = 0; c < columns; c++) {
            sum[c] = x0[n * columns + c] + x1[n * columns + c];
            squares[c] = sum[c] * sum[c];
        }
        float mean = ms_naive_reduce(squares, columns) * ms_reciprocal((float)columns);
        float rstd = ms_rsqrt(mean + test->attributes.norm.epsilon);
        ((float *)out[2])[n] = rstd;
        for (int64_t c = 0; c < columns; c++) ((float *)out[1])[n * columns + c] = (sum[c] * rstd) * gain[c];
    }
    free(squares);
}

/* The inputs may cancel in one element: its error is relative to |x0| + |x1|. */
static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x0 = in[0], *x1 = in[1], *gain = in[2];
    int64_t columns = test->shape[0].dim[1];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        out[0][i] = fabs((double)x0[i]) + fabs((double)x1[i]);
        out[1][i] = out[0][i] * out[2][i / columns] * fabs((double)gain[i % columns]);
    }
}

void ms_cases_add_rms_norm(void) {
    static const int64_t shapes[][2] = {{1, 3}, {5, 31}, {4, 32}, {9, 97}, {33, 512}, {3, 4097}, {2, 17001}};
    for (int i = 0; i < 7; i++) {
        ms_op_case test = ms_case_of(MS_OP_ADD_RMS_NORM);
        for (int k = 0; k < 2; k++)
            ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(shapes[i][0], shapes[i][1]), MS_CASE_POSITIVE);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(shapes[i][1]), MS_CASE_NORMAL);
        test.attributes.norm.epsilon = 1e-5f;
        test.reference = reference;
        test.magnitude = magnitude;
        test.bound = (ms_case_depth(shapes[i][1]) + 8) / 2 + 6; /* as rms_norm, and the sum */
        ms_case_check(&test);
    }
}
