#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const float *m = in[0], *v = in[1], *g = in[2], *w = in[3], *clip = in[4];
    const ms_adamw_attributes *a = &test->attributes.adamw;
    float lr = ms_case_coefficient(test, a->lr), bias1 = ms_case_coefficient(test, a->inverse_bias1),
          bias2 = ms_case_coefficient(test, a->inverse_bias2);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        float gradient = clip ? clip[1] * g[i] : g[i];
        float m_next = a->beta1 * m[i] + (1 - a->beta1) * gradient;
        float v_next = a->beta2 * v[i] + ((1 - a->beta2) * gradient) * gradient;
        if (v_next < 0x1p-80f) v_next = 0;
        float root = ms_sqrt(v_next * bias2) + a->epsilon;
        ((float *)out[0])[i] = m_next;
        ((float *)out[1])[i] = v_next;
        ((float *)out[2])[i] = lr * (ms_div(m_next * bias1, root) + a->decay * w[i]);
    }
}

/* A second moment below 2^-80 becomes 0, one at 2^-80 stays: 2^-79 * 0.5 with beta2 = 0.5 and g = 0. */
static void check_small(void) {
    float m[4] = {0}, v[4] = {0x1p-79f, 0x1.fffffep-80f, 0x1p-126f, 0}, g[4] = {0}, w[4] = {0}, out_v[4];
    ms_op_call resolved = {.op = MS_OP_ADAMW};
    resolved.attributes.adamw = (ms_adamw_attributes){{1, -1}, 0.5f, 0.5f, 1e-8f, 0, {1, -1}, {1, -1}};
    void *data[] = {m, v, g, w};
    for (int i = 0; i < 4; i++) resolved.in[i].data = data[i], resolved.in[i].shape = ms_shape_1(4);
    resolved.out[1].data = out_v;
    ms_cpu_call call = ms_cpu_call_of(&resolved, NULL);
    ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_ADAMW).run(&call), MS_OK);
    ck_assert(out_v[0] == 0x1p-80f && out_v[1] == 0 && out_v[2] == 0 && out_v[3] == 0);
}

void ms_test_adamw(void) {
    ms_case_check_all(MS_OP_ADAMW, reference);
    check_small();
}
