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

void ms_test_add_rms_norm(void) { ms_case_check_all(MS_OP_ADD_RMS_NORM, reference); }
