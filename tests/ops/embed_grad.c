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

void ms_test_embed_grad(void) {
    ms_case_check_all(MS_OP_EMBED_GRAD, reference);
    ms_op_case bad = ms_case_of(MS_OP_EMBED_GRAD);
    ms_case_input(&bad, MS_DTYPE_I32, ms_shape_1(2), MS_CASE_NORMAL);
    ms_case_input(&bad, MS_DTYPE_F32, ms_shape_2(2, 3), MS_CASE_NORMAL);
    bad.attributes.embed.rows = 7;
    float dy[6] = {0};
    int32_t high[] = {7, 0}, low[] = {0, -1};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){high, dy}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "embed_grad: id 7 of token 0 is not in [0, 7)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){low, dy}), MS_INVALID);
}
