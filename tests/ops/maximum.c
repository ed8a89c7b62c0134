#include "backend/formulas.h"
#include "tests/ops/cases.h"

static float larger(float a, float b) {
    if (isnan(a) || isnan(b)) return NAN;
    if (a == b) return signbit(a) ? b : a; /* of +0 and -0: +0 */
    return a > b ? a : b;
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        ((float *)out[0])[i] = larger(((const float *)in[0])[i], ((const float *)in[1])[i]);
}

/* All pairs of special numbers; NaN of either sign, as inf - inf is negative on some processors. */
static void check_special(void) {
    const float numbers[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1, -1, 0x1p-126f, -0x1p-126f};
    enum { N = sizeof numbers / sizeof *numbers };
    for (int i = 0; i < N * N; i++) {
        float a = numbers[i / N], b = numbers[i % N], expected = larger(a, b), found = ms_formula_maximum(a, b);
        bool same = isnan(expected) ? isnan(found) : memcmp(&expected, &found, sizeof found) == 0;
        ck_assert_msg(same, "maximum of %g and %g: %g, must be %g", (double)a, (double)b, (double)found,
                      (double)expected);
    }
}

void ms_test_maximum(void) {
    check_special();
    ms_case_check_all(MS_OP_MAXIMUM, reference);
}
