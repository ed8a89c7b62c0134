#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const int32_t *index = in[0];
    const float *dy = in[1], *acc = in[2];
    int64_t columns = test->shape[1].dim[1];
    for (int64_t v = 0; v < test->attributes.embed.rows; v++)
        for (int64_t c = 0; c < columns; c++) {
            float sum = 0, *y = (float *)out[0] + v * columns + c;
            int count = 0;
            for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
                if (index[n] != v) continue;
                sum = count == 0 ? dy[n * columns + c] : sum + dy[n * columns + c];
                count++;
            }
            float base = acc ? acc[v * columns + c] : 0;
            *y = count == 0 ? base
                 : acc      ? base + test->attributes.embed.scale * sum
                            : test->attributes.embed.scale * sum;
        }
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const int32_t *index = in[0];
    const float *dy = in[1], *acc = in[2];
    int64_t columns = test->shape[1].dim[1];
    for (int64_t i = 0; i < test->attributes.embed.rows * columns; i++) out[0][i] = acc ? fabs((double)acc[i]) : 0;
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++)
        for (int64_t c = 0; c < columns; c++)
            out[0][index[n] * columns + c] += fabs((double)(test->attributes.embed.scale * dy[n * columns + c]));
}

static ms_op_case embed_grad_case(int64_t vocabulary, int64_t columns, int64_t tokens, bool accumulate) {
    ms_op_case test = ms_case_of(MS_OP_EMBED_GRAD);
    ms_case_input(&test, MS_DTYPE_I32, ms_shape_1(tokens), MS_CASE_NORMAL);
    ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(tokens, columns), MS_CASE_SPARSE);
    if (accumulate) ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(vocabulary, columns), MS_CASE_SPARSE);
    test.high = (int32_t)vocabulary;
    test.attributes.embed.scale = 5.65685425f;
    test.attributes.embed.rows = vocabulary;
    test.reference = reference;
    test.magnitude = magnitude;
    test.bound = (double)tokens + 3;
    return test;
}

void ms_cases_embed_grad(void) {
    static const int64_t shapes[][3] = {{1, 1, 1},    {7, 5, 13},     {101, 32, 67},
                                        {3, 33, 301}, {13, 1027, 29}, {4, 17001, 3}};
    for (int i = 0; i < 12; i++) {
        const int64_t *shape = shapes[i / 2];
        ms_op_case test = embed_grad_case(shape[0], shape[1], shape[2], i % 2 == 1);
        ms_case_check(&test);
    }
    ms_op_case bad = embed_grad_case(7, 3, 2, false);
    float dy[6] = {0};
    int32_t high[] = {7, 0}, low[] = {0, -1};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){high, dy}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "embed_grad: id 7 of token 0 is not in [0, 7)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){low, dy}), MS_INVALID);
}
