/* Cases of rms_norm, rms_norm_grad, add_rms_norm. */
#include <math.h>

#include "backend/cases/case.h"

/* Of `fast`: inverse square root 2 ulp, division 2.5 ulp under the root. */
static const double native_norm = 4 + 2.5;

bool ms_cases_rms_norm(int i, ms_op_case *out) {
    static const int64_t shapes[][2] = {{1, 1},  {3, 2},    {5, 31},   {4, 32},   {7, 33},
                                        {9, 97}, {33, 512}, {2, 4096}, {3, 4097}, {2, 12301}};
    if (i >= 10) return false;
    *out = ms_case_of(MS_OP_RMS_NORM);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shapes[i][0], shapes[i][1]), i % 2 ? MS_CASE_SPARSE : MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(shapes[i][1]), MS_CASE_NORMAL);
    out->attributes.norm.epsilon = 1.1920929e-07f;
    /* squares, sum, 1/C, epsilon under a root, halved; rsqrt; two products */
    out->bound = (ms_case_depth(shapes[i][1]) + 6) / 2 + 5;
    out->native = native_norm;
    return true;
}

static void rms_norm_grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
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

bool ms_cases_rms_norm_grad(int i, ms_op_case *out) {
    static const int64_t shapes[][2] = {{1, 1},    {3, 2},    {31, 31},   {32, 32},  {33, 33},  {97, 97},
                                        {129, 64}, {3, 4099}, {4096, 17}, {4231, 5}, {4500, 16}};
    if (i >= 22) return false;
    ms_shape x = ms_shape_2(shapes[i / 2][0], shapes[i / 2][1]);
    *out = ms_case_of(MS_OP_RMS_NORM_GRAD);
    ms_case_input(out, MS_DTYPE_F32, x, MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(x.dim[1]), MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(x.dim[0]), MS_CASE_POSITIVE);
    ms_case_input(out, MS_DTYPE_F32, x, MS_CASE_SPARSE);
    if (i % 2) ms_case_input(out, MS_DTYPE_F32, x, MS_CASE_NORMAL);
    out->magnitude = rms_norm_grad_magnitude;
    /* three products, the sum, 1/C, and five operations */
    out->bound = fmax(ms_case_depth(x.dim[0]), ms_case_depth(x.dim[1])) + 12;
    out->native = 5; /* division */
    return true;
}

/* The inputs may cancel in one element: its error is relative to |x0| + |x1|. */
static void add_rms_norm_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x0 = in[0], *x1 = in[1], *gain = in[2];
    int64_t columns = test->shape[0].dim[1];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        out[0][i] = fabs((double)x0[i]) + fabs((double)x1[i]);
        out[1][i] = out[0][i] * out[2][i / columns] * fabs((double)gain[i % columns]);
    }
}

bool ms_cases_add_rms_norm(int i, ms_op_case *out) {
    static const int64_t shapes[][2] = {{1, 3}, {5, 31}, {4, 32}, {9, 97}, {33, 512}, {3, 4097}, {2, 17001}};
    if (i >= 7) return false;
    *out = ms_case_of(MS_OP_ADD_RMS_NORM);
    for (int k = 0; k < 2; k++)
        ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shapes[i][0], shapes[i][1]), MS_CASE_POSITIVE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(shapes[i][1]), MS_CASE_NORMAL);
    out->attributes.norm.epsilon = 1e-5f;
    out->magnitude = add_rms_norm_magnitude;
    out->bound = (ms_case_depth(shapes[i][1]) + 8) / 2 + 6; /* as rms_norm, and the sum */
    out->native = native_norm;
    return true;
}
