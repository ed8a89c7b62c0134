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

void ms_cases_rms_norm(void) {
    static const int64_t shapes[][2] = {{1, 1},  {3, 2},    {5, 31},   {4, 32},   {7, 33},
                                        {9, 97}, {33, 512}, {2, 4096}, {3, 4097}, {2, 12301}};
    for (int i = 0; i < 10; i++) {
        ms_op_case test = ms_case_of(MS_OP_RMS_NORM);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(shapes[i][0], shapes[i][1]),
                      i % 2 ? MS_CASE_SPARSE : MS_CASE_NORMAL);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(shapes[i][1]), MS_CASE_NORMAL);
        test.attributes.norm.epsilon = 1.1920929e-07f;
        test.reference = reference;
        /* squares, sum, 1/C, epsilon under a root, halved; rsqrt; two products */
        test.bound = (ms_case_depth(shapes[i][1]) + 6) / 2 + 5;
        ms_case_check(&test);
    }
}
