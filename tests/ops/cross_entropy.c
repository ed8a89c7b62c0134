#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const int32_t *targets = in[1];
    int64_t columns = test->shape[0].dim[1];
    float *losses = out[0], *p = malloc((size_t)columns * sizeof *p), scale = test->attributes.cross_entropy.scale;
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
        const float *x = (const float *)in[0] + n * columns;
        float *dlogits = (float *)out[1] + n * columns, m = x[0];
        for (int64_t v = 0; v < columns; v++) m = x[v] > m ? x[v] : m;
        for (int64_t v = 0; v < columns; v++) p[v] = ms_exp(x[v] - m);
        float l = ms_naive_reduce(p, columns);
        losses[n] = targets[n] < 0 ? 0 : (m + ms_log(l)) - x[targets[n]];
        for (int64_t v = 0; v < columns; v++) {
            float share = p[v] * ms_reciprocal(l);
            dlogits[v] = targets[n] < 0 ? 0 : scale * (v == targets[n] ? share - 1 : share);
        }
    }
    free(p);
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const int32_t *targets = in[1];
    int64_t columns = test->shape[0].dim[1];
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
        if (targets[n] < 0) continue;
        const float *x = (const float *)in[0] + n * columns;
        double largest = 1 + log((double)columns);
        for (int64_t v = 0; v < columns; v++) largest = fmax(largest, fabs((double)x[v]));
        out[0][n] = 3 * largest;
        out[1][n * columns + targets[n]] += 2 * fabs((double)test->attributes.cross_entropy.scale);
    }
}

static ms_op_case cross_entropy_case(int64_t rows, int64_t columns, int32_t low) {
    ms_op_case test = ms_case_of(MS_OP_CROSS_ENTROPY);
    ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(rows, columns), MS_CASE_NORMAL);
    ms_case_input(&test, MS_DTYPE_I32, ms_shape_1(rows), MS_CASE_NORMAL);
    test.low = low, test.high = (int32_t)columns;
    test.attributes.cross_entropy.scale = 0.015625f;
    test.reference = reference;
    test.magnitude = magnitude;
    test.skip_special = low < 0; /* a row without target hides what it holds */
    /* |x - m| < 12, so its rounding changes p by 12 u: in p and in l, with the sum, exp, 1/l and products */
    test.bound = ms_case_depth(columns) + 2 * 12 + 2 * 2.1 + 6;
    return test;
}

void ms_cases_cross_entropy(void) {
    static const int64_t shapes[][2] = {{1, 1},   {5, 2},    {7, 31},   {6, 32},   {9, 65},
                                        {4, 127}, {33, 512}, {3, 4096}, {5, 5003}, {2, 49152}};
    for (int i = 0; i < 20; i++) {
        ms_op_case test = cross_entropy_case(shapes[i / 2][0], shapes[i / 2][1], i % 2 ? -1 : 0);
        ms_case_check(&test);
    }
    ms_op_case bad = cross_entropy_case(2, 5, 0);
    float logits[10] = {0};
    int32_t high[] = {0, 5}, low[] = {-2, 0};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){logits, high}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "cross_entropy: target 5 of token 1 is not in [-1, 5)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){logits, low}), MS_INVALID);
}
