/* backend/exact.h against f64 libm: every 1009th float of each domain (all of them with MS_EXACT_ALL=1), special
   values. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/exact.h"
#include "tests/support/suite.h"

static uint32_t stride(void) { return getenv("MS_EXACT_ALL") ? 1 : 1009; }

static double half_pi_sin(double t) { return sin(t * 1.57079632679489661923); }
static double half_pi_cos(double t) { return cos(t * 1.57079632679489661923); }
static double inverse(double x) { return 1 / x; }
static double inverse_root(double x) { return 1 / sqrt(x); }

/* Largest error in units of the last place of the true value, over the floats with bits first..last. */
static double largest_error(float (*function)(float), double (*truth)(double), uint32_t first, uint32_t last) {
    double largest = 0;
    for (uint64_t bits = first; bits <= last; bits += stride()) {
        float x = ms_exact_float((uint32_t)bits);
        double want = truth((double)x);
        if (want == 0) {
            ck_assert(function(x) == 0);
            continue;
        }
        double error = fabs((double)function(x) - want) / ldexp(1.0, ilogb(want) - 23);
        if (!(error <= largest)) largest = error;
    }
    return largest;
}

static void check(const char *name, double error, double bound) {
    printf("%-16s %.4f ulp\n", name, error);
    ck_assert_msg(error <= bound, "%s: %.4f ulp, at most %.2f", name, error, bound);
}

START_TEST(test_accuracy) {
    check("exp, x > 0", largest_error(ms_exp, exp, 0x20000000u, 0x42b17217u), 1.02);
    check("exp, x < 0", largest_error(ms_exp, exp, 0xa0000000u, 0xc2260000u), 1.02);
    check("log", largest_error(ms_log, log, 0x00800000u, 0x7f7fffffu), 0.85);
    check("reciprocal", largest_error(ms_reciprocal, inverse, 0x00800000u, 0x7e800000u), 1.24);
    check("reciprocal, < 0", largest_error(ms_reciprocal, inverse, 0x80800000u, 0xfe800000u), 1.24);
    check("rsqrt", largest_error(ms_rsqrt, inverse_root, 0x00800000u, 0x7f7fffffu), 1.22);
    check("sqrt", largest_error(ms_sqrt, sqrt, 0x00800000u, 0x7f7fffffu), 1.91);
    check("tanh, x > 0", largest_error(ms_tanh, tanh, 0x00800000u, 0x7f7fffffu), 1.52);
    check("tanh, x < 0", largest_error(ms_tanh, tanh, 0x80800000u, 0xff7fffffu), 1.52);
    check("sin_quarter", largest_error(ms_sin_quarter, half_pi_sin, 0x20800000u, 0x3f000000u), 1.74);
    check("cos_quarter", largest_error(ms_cos_quarter, half_pi_cos, 0x20800000u, 0x3f000000u), 1.24);
}
END_TEST

static int is(float have, float want) {
    if (isnan(want)) return isnan(have);
    return ms_exact_bits(have) == ms_exact_bits(want);
}

START_TEST(test_special) {
    const float inf = INFINITY, nan = NAN, min = 0x1p-126f, max = 0x1.fffffep127f;
    /* x, exp, log, reciprocal, rsqrt, sqrt */
    const float table[][6] = {
        {0.0f, 1, -inf, inf, inf, 0.0f},      {-0.0f, 1, -inf, -inf, inf, 0.0f},
        {inf, inf, inf, 0.0f, 0.0f, inf},     {-inf, 0.0f, nan, -0.0f, nan, nan},
        {nan, nan, nan, nan, nan, nan},       {-nan, nan, nan, nan, nan, nan},
        {1, 0x1.5bf0a8p+1f, 0.0f, 1, 1, 1},   {4, 0x1.b4c904p+5f, 0x1.62e43p+0f, 0.25f, 0.5f, 2},
        {0x1p-149f, 1, -inf, inf, inf, 0.0f}, {min, 1, -0x1.5d58ap+6f, 0x1p126f, 0x1p63f, 0x1p-63f}};
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        const float *row = table[i];
        ck_assert_msg(is(ms_exp(row[0]), row[1]), "exp %g = %a", (double)row[0], (double)ms_exp(row[0]));
        ck_assert_msg(is(ms_log(row[0]), row[2]), "log %g = %a", (double)row[0], (double)ms_log(row[0]));
        ck_assert_msg(is(ms_reciprocal(row[0]), row[3]), "1 / %g = %a", (double)row[0], (double)ms_reciprocal(row[0]));
        ck_assert_msg(is(ms_rsqrt(row[0]), row[4]), "rsqrt %g = %a", (double)row[0], (double)ms_rsqrt(row[0]));
        ck_assert_msg(is(ms_sqrt(row[0]), row[5]), "sqrt %g = %a", (double)row[0], (double)ms_sqrt(row[0]));
    }
    ck_assert(is(ms_reciprocal(0x1p126f), min) && is(ms_reciprocal(0x1.000002p126f), 0.0f));
    ck_assert(is(ms_reciprocal(-max), -0.0f) && is(ms_log(-1.0f), nan) && is(ms_sqrt(-1.0f), nan));
    ck_assert(is(ms_exp(89.0f), inf) && is(ms_exp(max), inf) && is(ms_exp(-max), 0.0f) && is(ms_exp(-42.0f), 0.0f));
    ck_assert(isfinite(ms_exp(0x1.62e42ep6f)) && is(ms_exp(0x1.62e43p6f), inf) && ms_exp(-41.5f) > 0);
    ck_assert(is(ms_sin_quarter(0.0f), 0.0f) && is(ms_cos_quarter(0.0f), 1.0f));
}
END_TEST

START_TEST(test_tanh) {
    const float inf = INFINITY;
    ck_assert(is(ms_tanh(0.0f), 0.0f) && is(ms_tanh(-0.0f), -0.0f));
    ck_assert(is(ms_tanh(0x1p-126f), 0x1p-126f) && is(ms_tanh(-0x1p-126f), -0x1p-126f));
    ck_assert(is(ms_tanh(0x1p-149f), 0.0f) && is(ms_tanh(-0x1.8p-130f), -0.0f));
    ck_assert(is(ms_tanh(inf), 1) && is(ms_tanh(-inf), -1) && is(ms_tanh(0x1.fffffep127f), 1));
    ck_assert(is(ms_tanh(NAN), NAN) && is(ms_tanh(-NAN), NAN));
    ck_assert(ms_tanh(9.0f) < 1 && is(ms_tanh(9.02f), 1) && is(ms_tanh(-9.02f), -1));
    for (uint64_t bits = 0; bits <= 0x7f800000u; bits += stride()) { /* odd, never above 1 */
        float x = ms_exact_float((uint32_t)bits);
        ck_assert_msg(is(ms_tanh(-x), -ms_tanh(x)), "tanh is not odd at %a", (double)x);
        ck_assert_msg(ms_tanh(x) <= 1, "tanh %a = %a", (double)x, (double)ms_tanh(x));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("exact");
    TCase *cases = tcase_create("exact");
    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_accuracy);
    tcase_add_test(cases, test_special);
    tcase_add_test(cases, test_tanh);
    suite_add_tcase(suite, cases);
    return ms_suite_run(suite);
}
