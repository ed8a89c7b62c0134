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

void ms_test_cross_entropy(void) {
    ms_case_check_all(MS_OP_CROSS_ENTROPY, reference);
    ms_op_case bad = ms_case_of(MS_OP_CROSS_ENTROPY);
    ms_case_input(&bad, MS_DTYPE_F32, ms_shape_2(2, 5), MS_CASE_NORMAL);
    ms_case_input(&bad, MS_DTYPE_I32, ms_shape_1(2), MS_CASE_NORMAL);
    float logits[10] = {0};
    int32_t high[] = {0, 5}, low[] = {-2, 0};
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){logits, high}), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "cross_entropy: target 5 of token 1 is not in [-1, 5)");
    ck_assert_int_eq(ms_case_status(&bad, (const void *[]){logits, low}), MS_INVALID);
}
