#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *x = in[0], *gain = in[1], *rstd = in[2], *dy = in[3], *acc = in[4];
    int64_t rows = test->shape[0].dim[0], columns = test->shape[0].dim[1];
    float *terms = malloc((size_t)(rows * columns) * sizeof *terms);
    for (int64_t i = 0; i < rows * columns; i++) terms[i] = dy[i] * (x[i] * rstd[i / columns]);
    ms_naive_reduce_rows(terms, rows, columns, out[1]);
    for (int64_t n = 0; n < rows; n++) {
        for (int64_t c = 0; c < columns; c++)
            terms[c] = (dy[n * columns + c] * gain[c]) * (x[n * columns + c] * rstd[n]);
        float s = ms_naive_reduce(terms, columns) * ms_reciprocal((float)columns);
        for (int64_t c = 0; c < columns; c++) {
            int64_t i = n * columns + c;
            float dx = (dy[i] * gain[c] - (x[i] * rstd[n]) * s) * rstd[n];
            ((float *)out[0])[i] = acc ? acc[i] + dx : dx;
        }
    }
    free(terms);
}

void ms_test_rms_norm_grad(void) { ms_case_check_all(MS_OP_RMS_NORM_GRAD, reference); }
