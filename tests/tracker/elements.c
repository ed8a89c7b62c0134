/* Numbers of files as f64: every bit pattern of 16 bits, against the definition of its type; what is unaligned. */
#include "tracker/elements.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tracker/decompose.h"

/* sign, then `exponent_bits` of exponent, then the mantissa. */
static double by_definition(unsigned bits, int exponent_bits, int mantissa_bits) {
    int bias = (1 << (exponent_bits - 1)) - 1, largest = (1 << exponent_bits) - 1;
    int exponent = (int)(bits >> mantissa_bits) & largest;
    double mantissa = (double)(bits & ((1u << mantissa_bits) - 1)) / (1 << mantissa_bits), sign = bits >> 15 ? -1 : 1;
    if (exponent == largest) return mantissa == 0 ? sign * INFINITY : NAN;
    if (exponent == 0) return sign * ldexp(mantissa, 1 - bias);
    return sign * ldexp(1 + mantissa, exponent - bias);
}

static void check_all(ms_element type, int exponent_bits, int mantissa_bits) {
    static uint16_t all[1 << 16];
    static double values[1 << 16];
    for (unsigned bits = 0; bits < 1 << 16; bits++) all[bits] = (uint16_t)bits;
    ms_elements_to_f64(type, all, 0, 1 << 16, values);
    for (unsigned bits = 0; bits < 1 << 16; bits++) {
        double expected = by_definition(bits, exponent_bits, mantissa_bits);
        ck_assert_msg(isnan(expected) ? isnan(values[bits])
                                      : values[bits] == expected && signbit(values[bits]) == signbit(expected),
                      "%04x: %.17g, expected %.17g", bits, values[bits], expected);
    }
}

START_TEST(numbers_of_16_bits) {
    check_all(MS_ELEMENT_F16, 5, 10);
    check_all(MS_ELEMENT_BF16, 8, 7);
}
END_TEST

START_TEST(unaligned_and_in_the_middle) {
    const float singles[] = {1, -2.5f, 3e-40f, 7};
    const double doubles[] = {1, -2.5, 1e300, 7};
    char bytes[64];
    double out[2];
    for (int shift = 0; shift < 8; shift++) {
        memcpy(bytes + shift, singles, sizeof singles);
        ms_elements_to_f64(MS_ELEMENT_F32, bytes + shift, 1, 2, out);
        ck_assert(out[0] == -2.5 && out[1] == (double)3e-40f);
        memcpy(bytes + shift, doubles, sizeof doubles);
        ms_elements_to_f64(MS_ELEMENT_F64, bytes + shift, 1, 2, out);
        ck_assert(out[0] == -2.5 && out[1] == 1e300);
    }
}
END_TEST

/* A difference of matrices of two types is made in f64, across the blocks it is made in. */
START_TEST(difference_of_types) {
    enum { ROWS = 3, COLS = 1200 };
    static double plus[ROWS * COLS];
    static uint16_t minus[ROWS * COLS];
    double values[ROWS], expected = 0;
    for (int i = 0; i < ROWS * COLS; i++) {
        minus[i] = (uint16_t)(0x3f80 + i % 7); /* 1 + i % 7 / 128 */
        double difference = (i % COLS == i / COLS) ? 3 + i / COLS : 0;
        plus[i] = 1 + i % 7 / 128.0 + difference;
        expected += difference * difference;
    }
    const ms_decompose_source source = {.name = "difference",
                                        .plus = plus,
                                        .plus_type = MS_ELEMENT_F64,
                                        .minus = minus,
                                        .minus_type = MS_ELEMENT_BF16,
                                        .factor = 1,
                                        .rows = ROWS,
                                        .cols = COLS};
    ms_decompose_scratch *scratch;
    ms_decomposition out = {.values = values};
    ms_must(ms_decompose_scratch_create(ROWS, COLS, &scratch));
    ms_must(ms_decompose(scratch, &source, &(ms_decompose_request){.values = MS_DECOMPOSE_ALL}, &out));
    ck_assert_double_eq_tol(out.squares, expected, 1e-12);
    for (int i = 0; i < ROWS; i++) ck_assert_double_eq_tol(values[i], 5 - i, 1e-12);
    ms_decompose_scratch_destroy(scratch);
}
END_TEST

/* Squares that no f64 holds are no matrix of zeros, nor a fault of ours. */
START_TEST(squares_beyond_f64) {
    const double extremes[] = {1e200, 1e-200};
    for (int i = 0; i < 2; i++) {
        double matrix[4] = {extremes[i], 0, 0, extremes[i]}, values[2];
        ms_decompose_source source = {
            .name = "extreme", .plus = matrix, .plus_type = MS_ELEMENT_F64, .rows = 2, .cols = 2};
        ms_decompose_scratch *scratch;
        ms_decomposition out = {.values = values};
        ms_must(ms_decompose_scratch_create(2, 2, &scratch));
        ms_status status = ms_decompose(scratch, &source, &(ms_decompose_request){.values = MS_DECOMPOSE_ALL}, &out);
        ms_expect(status, MS_NUMERIC, "spectrum of extreme [2, 2]: squares of elements up to 1e");
        matrix[3] = NAN;
        status = ms_decompose(scratch, &source, &(ms_decompose_request){.values = MS_DECOMPOSE_ALL}, &out);
        ms_expect(status, MS_NUMERIC, "element (1, 1)");
        memset(matrix, 0, sizeof matrix);
        ms_must(ms_decompose(scratch, &source, &(ms_decompose_request){.values = MS_DECOMPOSE_ALL}, &out));
        ck_assert(values[0] == 0 && values[1] == 0);
        ms_decompose_scratch_destroy(scratch);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("elements");
    TCase *tests = tcase_create("elements");
    tcase_add_test(tests, numbers_of_16_bits);
    tcase_add_test(tests, unaligned_and_in_the_middle);
    tcase_add_test(tests, difference_of_types);
    tcase_add_test(tests, squares_beyond_f64);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
