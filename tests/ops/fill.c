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

static ms_op_case fill_case(ms_dtype dtype, float value, ms_shape shape) {
    ms_op_case test = ms_case_of(MS_OP_FILL);
    test.attributes.fill.dtype = dtype;
    test.attributes.fill.value = value;
    test.attributes.fill.shape = shape;
    test.reference = reference;
    return test;
}

void ms_cases_fill(void) {
    static const int64_t sizes[] = {1, 37, 16384, 16385, 50001};
    for (int i = 0; i < 5; i++) {
        ms_op_case cases[] = {fill_case(MS_DTYPE_F32, -0.1f, ms_shape_1(sizes[i])),
                              fill_case(MS_DTYPE_F32, 0.0f, ms_shape_2(3, sizes[i])),
                              fill_case(MS_DTYPE_I32, -7.0f, ms_shape_1(sizes[i])),
                              fill_case(MS_DTYPE_U16, 65535.0f, ms_shape_1(sizes[i])),
                              fill_case(MS_DTYPE_BF16, 3.14159274f, ms_shape_1(sizes[i]))};
        for (int c = 0; c < 5; c++) ms_case_check(&cases[c]);
    }
    ms_op_case bad[] = {fill_case(MS_DTYPE_U16, 65536.0f, ms_shape_1(1)), fill_case(MS_DTYPE_I32, 0.5f, ms_shape_1(1)),
                        fill_case(MS_DTYPE_U16, NAN, ms_shape_1(1))};
    for (int c = 0; c < 3; c++) ck_assert_int_eq(ms_case_status(&bad[c], NULL), MS_INVALID);
    ms_op_case half = fill_case(MS_DTYPE_F16, 1.0f, ms_shape_1(1));
    ck_assert_int_eq(ms_case_status(&half, NULL), MS_UNSUPPORTED);
}
