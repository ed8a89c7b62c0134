#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    int64_t columns = test->shape[0].dim[1];
    for (int64_t n = 0; n < test->shape[1].dim[0]; n++)
        for (int64_t c = 0; c < columns; c++)
            ((float *)out[0])[n * columns + c] =
                test->attributes.embed.scale * ((const float *)in[0])[((const int32_t *)in[1])[n] * columns + c];
}

void ms_test_embed(void) {
    ms_case_check_all(MS_OP_EMBED, reference);
    ms_op_case bad = ms_case_of(MS_OP_EMBED);
    ms_case_input(&bad, MS_DTYPE_F32, ms_shape_2(7, 3), MS_CASE_NORMAL);
    ms_case_input(&bad, MS_DTYPE_I32, ms_shape_1(2), MS_CASE_NORMAL);
    bad.attributes.embed.rows = 7;
    float table[21] = {0};
    int32_t high[] = {6, 7}, low[] = {-1, 0};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){table, high}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "embed: id 7 of token 1 is not in [0, 7)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){table, low}), MS_INVALID);
}
