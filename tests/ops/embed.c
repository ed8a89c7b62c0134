#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    int64_t columns = test->shape[0].dim[1];
    for (int64_t n = 0; n < test->shape[1].dim[0]; n++)
        for (int64_t c = 0; c < columns; c++)
            ((float *)out[0])[n * columns + c] =
                test->attributes.embed.scale * ((const float *)in[0])[((const int32_t *)in[1])[n] * columns + c];
}

static ms_op_case embed_case(int64_t vocabulary, int64_t columns, int64_t tokens) {
    ms_op_case test = ms_case_of(MS_OP_EMBED);
    ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(vocabulary, columns), MS_CASE_SPARSE);
    ms_case_input(&test, MS_DTYPE_I32, ms_shape_1(tokens), MS_CASE_NORMAL);
    test.high = (int32_t)vocabulary;
    test.attributes.embed.scale = 22.627417f;
    test.attributes.embed.rows = vocabulary;
    test.reference = reference;
    test.bound = 1.01;
    test.skip_special = true; /* a changed row need not be used */
    return test;
}

void ms_cases_embed(void) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {7, 5, 13}, {101, 32, 67}, {13, 513, 257}, {5, 20001, 3}};
    for (int i = 0; i < 5; i++) {
        ms_op_case test = embed_case(shapes[i][0], shapes[i][1], shapes[i][2]);
        ms_case_check(&test);
    }
    ms_op_case bad = embed_case(7, 3, 2);
    float table[21] = {0};
    int32_t high[] = {6, 7}, low[] = {-1, 0};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){table, high}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "embed: id 7 of token 1 is not in [0, 7)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){table, low}), MS_INVALID);
}
