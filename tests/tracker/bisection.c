/* Eigenvalues at chosen places against LAPACK's DSTERF. */
#include "tracker/bisection.h"

#include <check.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { MOST = 130 };

/* Every place of a matrix, MS_BISECTION_PLACES or fewer at a time. */
static void check(const double *diagonal, const double *off_diagonal, int n, double scale) {
    double values[MOST], work[MOST], squares[MOST], found[MS_BISECTION_PLACES];
    memcpy(values, diagonal, sizeof(double) * n);
    for (int i = 0; i + 1 < n; i++) squares[i] = off_diagonal[i] * off_diagonal[i];
    memcpy(work, off_diagonal, sizeof(double) * (n - 1));
    ck_assert_int_eq(LAPACKE_dsterf_work(n, values, work), 0); /* ascending */
    for (int first = 0, many = 1; first < n; first += many, many = many % MS_BISECTION_PLACES + 1) {
        int places[MS_BISECTION_PLACES], n_places = first + many < n ? many : n - first;
        for (int k = 0; k < n_places; k++) places[k] = first + k;
        ms_bisect(diagonal, squares, n, places, n_places, found);
        for (int k = 0; k < n_places; k++)
            ck_assert_double_le(fabs(found[k] - values[n - 1 - places[k]]), 20 * DBL_EPSILON * scale);
    }
}

START_TEST(random_matrices) {
    static const int sizes[] = {1, 2, 3, 7, 32, 129};
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int exponent = -280; exponent <= 280; exponent += 70) {
            double diagonal[MOST], off_diagonal[MOST], scale = ldexp(1, exponent);
            for (int k = 0; k < sizes[i]; k++) {
                diagonal[k] = scale * (3 + ms_congruential_uniform(&seed));
                off_diagonal[k] = scale * ms_congruential_uniform(&seed);
            }
            check(diagonal, off_diagonal, sizes[i], 6 * scale);
        }
}
END_TEST

/* Equal values, zeros on the diagonal, and a matrix of several blocks. */
START_TEST(degenerate) {
    double equal[40], nothing[40] = {0}, ones[40], gaps[40];
    for (int i = 0; i < 40; i++) {
        equal[i] = 3;
        ones[i] = 1;
        gaps[i] = i % 5 == 4 ? 0 : 1;
    }
    check(equal, nothing, 40, 3);
    check(nothing, nothing, 40, 0);
    check(nothing, ones, 40, 2); /* 2 cos(k pi / 41): pivots of 0 */
    check(equal, gaps, 40, 5);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bisection");
    TCase *tests = tcase_create("bisection");
    tcase_add_test(tests, random_matrices);
    tcase_add_test(tests, degenerate);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
