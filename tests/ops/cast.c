#include "tests/ops/cases.h"

#include <math.h>

/* Nearest bf16 by f64 arithmetic: rint rounds halves to even at 8 significant bits. */
static uint16_t nearest_bf16(float x) {
    float y = x;
    if (x != 0 && isfinite(x)) {
        double quantum = ldexp(1.0, ilogb((double)x) - 7);
        y = (float)(rint((double)x / quantum) * quantum);
    }
    uint32_t bits;
    memcpy(&bits, &y, sizeof bits);
    return (uint16_t)(isnan(x) ? (bits >> 16) | 0x40u : bits >> 16);
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        if (test->dtype[0] == MS_DTYPE_BF16) {
            uint32_t bits = (uint32_t)((const uint16_t *)in[0])[i] << 16;
            memcpy((float *)out[0] + i, &bits, sizeof bits);
        } else {
            ((uint16_t *)out[0])[i] = nearest_bf16(((const float *)in[0])[i]);
        }
    }
}

static void check(ms_dtype from, ms_dtype to, int64_t count) {
    ms_op_case test = ms_case_of(MS_OP_CAST);
    ms_case_input(&test, from, ms_shape_1(count), MS_CASE_WIDE);
    test.attributes.cast.dtype = to;
    test.reference = reference;
    test.skip_special = true;
    ms_case_check(&test);
}

void ms_cases_cast(void) {
    static const int64_t sizes[] = {1, 31, 16387, 40000};
    for (int i = 0; i < 4; i++) {
        check(MS_DTYPE_F32, MS_DTYPE_BF16, sizes[i]);
        check(MS_DTYPE_BF16, MS_DTYPE_F32, sizes[i]);
    }
    /* Ties, overflow, infinities, NaN with an empty upper half, signed zero. */
    static const uint32_t bits[] = {0x3f808000u, 0x3f818000u, 0x7f7fffffu, 0x7f800000u, 0xff800000u,
                                    0x7f800001u, 0x80000000u, 0x3f808001u, 0x3f807fffu};
    static const uint16_t want[] = {0x3f80, 0x3f82, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0x8000, 0x3f81, 0x3f80};
    for (int i = 0; i < 9; i++) {
        float x;
        memcpy(&x, &bits[i], sizeof x);
        uint16_t y = 0;
        ms_attributes attributes;
        ms_cpu_call call;
        memset(&call, 0, sizeof call);
        memset(&attributes, 0, sizeof attributes);
        attributes.cast.dtype = MS_DTYPE_BF16;
        call.attributes = &attributes;
        call.in[0].data = &x, call.in[0].dtype = MS_DTYPE_F32, call.in[0].shape = ms_shape_1(1);
        call.out[0].data = &y, call.out[0].dtype = MS_DTYPE_BF16, call.out[0].shape = ms_shape_1(1);
        ck_assert_int_eq(ms_cpu_exact_cast(&call), MS_OK);
        ck_assert_msg(y == want[i], "cast of %08x is %04x, must be %04x", bits[i], y, want[i]);
    }
}
