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

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x = in[0], *gain = in[1], *rstd = in[2], *dy = in[3], *acc = in[4];
    int64_t rows = test->shape[0].dim[0], columns = test->shape[0].dim[1];
    for (int64_t c = 0; c < columns; c++) out[1][c] = 0;
    for (int64_t n = 0; n < rows; n++) {
        double s = 0, r = (double)rstd[n];
        for (int64_t c = 0; c < columns; c++) {
            double term = fabs((double)dy[n * columns + c] * (double)x[n * columns + c] * r);
            s += term * fabs((double)gain[c]) / (double)columns;
            out[1][c] += term;
        }
        for (int64_t c = 0; c < columns; c++) {
            int64_t i = n * columns + c;
            out[0][i] = (fabs((double)dy[i] * (double)gain[c]) + fabs((double)x[i]) * r * s) * r +
                        (acc ? fabs((double)acc[i]) : 0);
        }
    }
}

void ms_cases_rms_norm_grad(void) {
    static const int64_t shapes[][2] = {{1, 1},   {3, 2},    {31, 31},  {32, 32},   {33, 33},
                                        {97, 97}, {129, 64}, {3, 4099}, {4096, 17}, {4231, 5}};
    for (int i = 0; i < 20; i++) {
        ms_shape x = ms_shape_2(shapes[i / 2][0], shapes[i / 2][1]);
        ms_op_case test = ms_case_of(MS_OP_RMS_NORM_GRAD);
        ms_case_input(&test, MS_DTYPE_F32, x, MS_CASE_SPARSE);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(x.dim[1]), MS_CASE_NORMAL);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(x.dim[0]), MS_CASE_POSITIVE);
        ms_case_input(&test, MS_DTYPE_F32, x, MS_CASE_SPARSE);
        if (i % 2) ms_case_input(&test, MS_DTYPE_F32, x, MS_CASE_NORMAL);
        test.reference = reference;
        test.magnitude = magnitude;
        double depth = fmax(ms_case_depth(x.dim[0]), ms_case_depth(x.dim[1]));
        test.bound = depth + 12; /* three products, the sum, 1/C, and five operations */
        ms_case_check(&test);
    }
}
