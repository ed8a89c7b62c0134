#include "tests/ops/cases.h"

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    (void)in;
    const ms_fill_attributes *fill = &test->attributes.fill;
    for (int64_t i = 0; i < ms_shape_count(&fill->shape); i++) {
        if (fill->dtype == MS_DTYPE_F32) ((float *)out[0])[i] = fill->value;
        if (fill->dtype == MS_DTYPE_I32) ((int32_t *)out[0])[i] = (int32_t)fill->value;
        if (fill->dtype == MS_DTYPE_U16) ((uint16_t *)out[0])[i] = (uint16_t)fill->value;
        if (fill->dtype == MS_DTYPE_BF16) ((uint16_t *)out[0])[i] = 0x4049; /* pi, rounded by hand */
    }
}

/* Values that the dtype does not hold. */
static void check_bad(ms_dtype dtype, float value, ms_status expected) {
    ms_op_case bad = ms_case_of(MS_OP_FILL);
    bad.attributes.fill = (ms_fill_attributes){.value = value, .shape = ms_shape_1(1), .dtype = dtype};
    ck_assert_int_eq(ms_case_status(&bad, NULL), expected);
}

void ms_test_fill(void) {
    ms_case_check_all(MS_OP_FILL, reference);
    check_bad(MS_DTYPE_U16, 65536.0f, MS_INVALID);
    check_bad(MS_DTYPE_I32, 0.5f, MS_INVALID);
    check_bad(MS_DTYPE_U16, NAN, MS_INVALID);
    check_bad(MS_DTYPE_F16, 1.0f, MS_UNSUPPORTED);
}
