#include "tests/ops/bf16.h"
#include "tests/ops/cases.h"

#include <math.h>

#include "platform/random.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        if (test->dtype[0] == MS_DTYPE_BF16) {
            uint32_t bits = (uint32_t)((const uint16_t *)in[0])[i] << 16;
            memcpy((float *)out[0] + i, &bits, sizeof bits);
        } else {
            ((uint16_t *)out[0])[i] = ms_nearest_bf16((double)((const float *)in[0])[i]);
        }
    }
}

static uint16_t cast_f64(double x) {
    uint16_t y = 0;
    ms_op_call resolved = {.op = MS_OP_CAST};
    resolved.attributes.cast.dtype = MS_DTYPE_BF16;
    resolved.in[0] = (ms_operand){.data = &x, .dtype = MS_DTYPE_F32, .shape = ms_shape_1(1)};
    resolved.out[0] = (ms_operand){.data = &y, .dtype = MS_DTYPE_BF16, .shape = ms_shape_1(1)};
    ms_cpu_call call = ms_cpu_call_of(&resolved, NULL);
    ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_ORACLE, MS_OP_CAST).run(&call), MS_OK);
    return y;
}

/* The oracle rounds f64 once: around ties, which rounding to f32 first would make of numbers beside them. */
static void check_oracle_rounds_once(void) {
    uint64_t state = 5;
    for (int i = 0; i < 4000; i++) {
        double tie = ldexp(1 + 0x1p-7 * (double)(ms_split_mix(&state) % 128) + 0x1p-8, (int)(i % 270) - 140);
        double beside = tie * (1 + ldexp(1.0, -(int)(20 + ms_split_mix(&state) % 30)) * (i % 3 - 1));
        double x = ms_split_mix(&state) % 2 ? beside : -beside;
        uint16_t have = cast_f64(x), want = ms_nearest_bf16(x);
        ck_assert_msg(have == want, "f64 cast of %a is %04x, must be %04x", x, have, want);
    }
    ck_assert_int_eq(cast_f64(1 + 0x1p-8 + 0x1p-40), 0x3f81); /* by way of f32: a tie, so 0x3f80 */
    ck_assert_int_eq(cast_f64(1e300), 0x7f80);
    ck_assert_int_eq(cast_f64(-0x1p-400), 0x8000);
    ck_assert(isnan(ms_bf16_value(cast_f64((double)NAN))));
}

void ms_test_cast(void) {
    check_oracle_rounds_once();
    ms_case_check_all(MS_OP_CAST, reference);
    /* Ties, overflow, infinities, NaN with an empty upper half, signed zero. */
    static const uint32_t bits[] = {0x3f808000u, 0x3f818000u, 0x7f7fffffu, 0x7f800000u, 0xff800000u,
                                    0x7f800001u, 0x80000000u, 0x3f808001u, 0x3f807fffu};
    static const uint16_t want[] = {0x3f80, 0x3f82, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0x8000, 0x3f81, 0x3f80};
    for (int i = 0; i < 9; i++) {
        float x;
        memcpy(&x, &bits[i], sizeof x);
        uint16_t y = 0;
        ms_op_call resolved = {.op = MS_OP_CAST};
        resolved.attributes.cast.dtype = MS_DTYPE_BF16;
        resolved.in[0] = (ms_operand){.data = &x, .dtype = MS_DTYPE_F32, .shape = ms_shape_1(1)};
        resolved.out[0] = (ms_operand){.data = &y, .dtype = MS_DTYPE_BF16, .shape = ms_shape_1(1)};
        ms_cpu_call call = ms_cpu_call_of(&resolved, NULL);
        ck_assert_int_eq(ms_case_kernel(MS_NUMERICS_EXACT, MS_OP_CAST).run(&call), MS_OK);
        ck_assert_msg(y == want[i], "cast of %08x is %04x, must be %04x", bits[i], y, want[i]);
    }
}
