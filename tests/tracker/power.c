#include "tracker/power.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"
#include "tests/support/suite.h"
#include "tracker/spectrum.h"

enum { MOST = 160 * 160 };
static float matrix[MOST], other[MOST], directions[MS_POWER_BLOCK * 160];

static double exact_sigma(const float *of, int rows, int cols) {
    double scalars[MS_SPECTRUM_N_SCALARS];
    ms_must(ms_spectrum_of_matrix(of, rows, cols, NULL, scalars));
    return scalars[MS_SPECTRUM_INDEX_sigma_max];
}

static void forget(void) { memset(directions, 0, sizeof directions); }

/* A random walk from a random matrix, as training is one: gaps of a few thousandths. */
START_TEST(test_walk) {
    const int shapes[][2] = {{128, 128}, {64, 160}, {160, 40}, {3, 50}};
    int rows = shapes[_i][0], cols = shapes[_i][1];
    size_t n = (size_t)rows * (size_t)cols;
    ms_power_scratch *scratch;
    ms_must(ms_power_scratch_create(rows < cols ? rows : cols, rows < cols ? cols : rows, &scratch));
    ms_random_normal_fill(1, 0, 0.02, n, matrix);
    forget();
    for (uint64_t step = 0; step < 60; step++) {
        ms_power_result result;
        ms_must(ms_power_sigma(scratch, &(ms_power_input){"walk", matrix, rows, cols}, directions, &result));
        double exact = exact_sigma(matrix, rows, cols);
        ck_assert_double_le(result.sigma, exact * (1 + 1e-12));
        ck_assert_double_ge(result.sigma, exact * (1 - (step < 10 ? 1e-2 : 2e-3)));
        ck_assert_double_lt(result.residual, 0.1);
        ms_random_normal_fill(2, step, 0.002, n, other);
        for (size_t i = 0; i < n; i++) matrix[i] += other[i];
    }
    ms_power_scratch_destroy(scratch);
}
END_TEST

/* Calls on a matrix that stays converge, and the residual says so. */
START_TEST(test_converges) {
    ms_power_scratch *scratch;
    ms_power_result result;
    ms_must(ms_power_scratch_create(100, 150, &scratch));
    ms_random_normal_fill(3, 0, 1, 15000, matrix);
    forget();
    double last = INFINITY;
    for (int call = 0; call < 400; call++)
        ms_must(ms_power_sigma(scratch, &(ms_power_input){"m", matrix, 100, 150}, directions, &result));
    last = result.residual;
    ck_assert_double_lt(last, 1e-6); /* directions are f32 */
    ck_assert_double_eq_tol(result.sigma / exact_sigma(matrix, 100, 150), 1, 1e-11);
    ms_power_scratch_destroy(scratch);
}
END_TEST

/* Degenerate matrices. */
START_TEST(test_degenerate) {
    ms_power_scratch *scratch;
    ms_power_result result;
    ms_must(ms_power_scratch_create(64, 160, &scratch));
    memset(matrix, 0, sizeof matrix);
    forget();
    ms_must(ms_power_sigma(scratch, &(ms_power_input){"zero", matrix, 64, 64}, directions, &result));
    ck_assert_double_eq(result.sigma, 0);
    ck_assert_double_eq(result.residual, 0);
    for (int i = 0; i < 64; i++) matrix[i * 64 + i] = 2; /* all singular values are one */
    ms_must(ms_power_sigma(scratch, &(ms_power_input){"ties", matrix, 64, 64}, directions, &result));
    ck_assert_double_eq_tol(result.sigma, 2, 1e-12);
    const double scales[] = {1e18, 1, 1e-43};
    for (int k = 0; k < 3; k++) { /* rank 1 */
        for (int i = 0; i < 64; i++)
            for (int j = 0; j < 160; j++) matrix[i * 160 + j] = (float)(scales[k] * (i % 3 + 1) * (j % 2 + 1));
        forget();
        ms_must(ms_power_sigma(scratch, &(ms_power_input){"rank 1", matrix, 64, 160}, directions, &result));
        ck_assert_double_eq_tol(result.sigma / exact_sigma(matrix, 64, 160), 1, 1e-12);
        ck_assert_double_lt(result.residual, 1e-12);
        ms_must(ms_power_sigma(scratch, &(ms_power_input){"rank 1", matrix, 64, 160}, directions,
                               &result)); /* from its directions */
        ck_assert_double_eq_tol(result.sigma / exact_sigma(matrix, 64, 160), 1, 1e-12);
    }
    for (int i = 0; i < 160; i++) matrix[i] = (float)(i + 1);
    forget();
    ms_must(ms_power_sigma(scratch, &(ms_power_input){"row", matrix, 1, 160}, directions, &result));
    ck_assert_double_eq_tol(result.sigma / exact_sigma(matrix, 1, 160), 1, 1e-12);
    ms_power_scratch_destroy(scratch);
}
END_TEST

/* The same bits from directions that were copied, and in another scratch. */
START_TEST(test_continued) {
    ms_power_scratch *scratch, *larger;
    ms_power_result first, second;
    float copy[MS_POWER_BLOCK * 64];
    ck_assert_uint_eq(ms_power_directions(64, 100), MS_POWER_BLOCK * 64);
    ms_must(ms_power_scratch_create(64, 100, &scratch));
    ms_must(ms_power_scratch_create(128, 128, &larger));
    ms_random_normal_fill(4, 0, 1, 6400, matrix);
    forget();
    ms_must(ms_power_sigma(scratch, &(ms_power_input){"m", matrix, 64, 100}, directions, &first));
    memcpy(copy, directions, sizeof copy);
    matrix[17] += 1;
    ms_must(ms_power_sigma(scratch, &(ms_power_input){"m", matrix, 64, 100}, directions, &first));
    ms_must(ms_power_sigma(larger, &(ms_power_input){"m", matrix, 64, 100}, copy, &second));
    ck_assert(first.sigma == second.sigma && first.residual == second.residual);
    ck_assert_int_eq(memcmp(copy, directions, sizeof copy), 0);
    ms_power_scratch_destroy(scratch);
    ms_power_scratch_destroy(larger);
}
END_TEST

START_TEST(test_refused) {
    ms_power_scratch *scratch;
    ms_power_result result;
    ck_assert_int_eq(ms_power_scratch_create(0, 4, &scratch), MS_INVALID);
    ck_assert_int_eq(ms_power_scratch_create(5, 4, &scratch), MS_INVALID);
    ms_must(ms_power_scratch_create(4, 5, &scratch));
    ck_assert_int_eq(ms_power_sigma(scratch, &(ms_power_input){"m", matrix, 5, 5}, directions, &result), MS_INVALID);
    ck_assert_int_eq(ms_power_sigma(scratch, &(ms_power_input){"m", matrix, 0, 5}, directions, &result), MS_INVALID);
    for (int i = 0; i < 20; i++) matrix[i] = 1;
    matrix[7] = NAN;
    ck_assert_int_eq(ms_power_sigma(scratch, &(ms_power_input){"layer 3 up", matrix, 4, 5}, directions, &result),
                     MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 3 up: element [1, 2] is nan"));
    ms_power_scratch_destroy(scratch);
    ms_power_scratch_destroy(NULL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("power");
    TCase *tcase = tcase_create("power");
    tcase_add_loop_test(tcase, test_walk, 0, 4);
    tcase_add_test(tcase, test_converges);
    tcase_add_test(tcase, test_degenerate);
    tcase_add_test(tcase, test_continued);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
