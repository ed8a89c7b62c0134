#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *gain = in[1];
    int64_t columns = test->shape[0].dim[1];
    float *squares = malloc((size_t)columns * sizeof *squares);
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
        const float *x = (const float *)in[0] + n * columns;
        for (int64_t c = 0; c < columns; c++) squares[c] = x[c] * x[c];
        float mean = ms_naive_reduce(squares, columns) * ms_reciprocal((float)columns);
        float rstd = ms_rsqrt(mean + test->attributes.norm.epsilon);
        ((float *)out[1])[n] = rstd;
        for (int64_t c = 0; c < columns; c++) ((float *)out[0])[n * columns + c] = (x[c] * rstd) * gain[c];
    }
    free(squares);
}

void ms_test_rms_norm(void) { ms_case_check_all(MS_OP_RMS_NORM, reference); }
