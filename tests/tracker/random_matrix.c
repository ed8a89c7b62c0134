/* The chance levels of a matrix against means over simulated matrices, of a fixed seed. */
#include "tracker/random_matrix.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "platform/random.h"
#include "tests/support/suite.h"
#include "tracker/analysis.h"

/* Means over n_matrices Gaussian ones. */
typedef struct means {
    double entropy, stable_rank, effective_rank, edge_share, with_spike;
} means;

static means simulate(int rows, int cols, int n_matrices) {
    means out = {0};
    size_t n = (size_t)rows * (size_t)cols;
    float *matrix = malloc(n * sizeof *matrix);
    ck_assert_ptr_nonnull(matrix);
    for (int i = 0; i < n_matrices; i++) {
        ms_random_normal_fill(7, (uint64_t)(1000000 * i + 1000 * rows + cols), 0.5, n, matrix);
        const ms_analysis_input input = {.name = "random", .after = matrix, .rows = rows, .cols = cols};
        ms_analysis a;
        ms_must(ms_analysis_compute(&input, &a));
        out.entropy += a.spectrum.spectral_entropy / n_matrices;
        out.stable_rank += a.spectrum.stable_rank / n_matrices;
        out.effective_rank += a.spectrum.effective_rank / n_matrices;
        out.edge_share += a.spectrum.sigma_max / a.sigma_max_random / n_matrices;
        out.with_spike += (a.spikes > 0) / (double)n_matrices;
        ck_assert_double_eq_tol(a.sigma_max_random, a.std * ms_random_edge(rows, cols), 1e-12);
        ms_analysis_finish(&a);
    }
    free(matrix);
    return out;
}

/* A shape, and how far means of simulated matrices may be from the limits: what small sides cost. */
static const struct {
    int rows, cols, n_matrices;
    double entropy, stable_rank, effective_rank;
} shapes[] = {{16, 16, 400, 0.009, 0.20, 0.015},  {16, 64, 400, 0.004, 0.11, 0.003},
              {32, 32, 200, 0.005, 0.11, 0.009},  {64, 64, 100, 0.002, 0.07, 0.005},
              {128, 64, 60, 0.0015, 0.06, 0.002}, {64, 512, 30, 0.0006, 0.04, 0.0005},
              {128, 128, 40, 0.0015, 0.04, 0.003}};

START_TEST(levels_are_those_of_simulated_matrices) {
    int rows = shapes[_i].rows, cols = shapes[_i].cols;
    means of = simulate(rows, cols, shapes[_i].n_matrices);
    ck_assert_double_le(fabs(of.entropy - ms_random_spectral_entropy(rows, cols)), shapes[_i].entropy);
    double stable_rank = of.stable_rank / ms_random_stable_rank(rows, cols) - 1;
    ck_assert_double_le(fabs(stable_rank), shapes[_i].stable_rank);
    double effective_rank = of.effective_rank / ms_random_effective_rank(rows, cols) - 1;
    ck_assert_double_le(fabs(effective_rank), shapes[_i].effective_rank);
    ck_assert_double_ge(of.edge_share, 0.9);
    ck_assert_double_le(of.edge_share, 1);
    ck_assert_double_le(of.with_spike, 0.25); /* 0.17 of large ones */
}
END_TEST

/* The formulas themselves, where they are easily worked out, and where nothing is defined. */
START_TEST(formulas) {
    ck_assert_double_eq_tol(ms_random_spectral_entropy(100, 400), 1 - 0.125 / log(100), 1e-15);
    ck_assert_double_eq(ms_random_spectral_entropy(100, 400), ms_random_spectral_entropy(400, 100));
    ck_assert_double_eq_tol(ms_random_stable_rank(100, 400), 100 * 400 / 900.0, 1e-12);
    ck_assert_double_eq(ms_random_edge(100, 400), 30);
    ck_assert(isnan(ms_random_spectral_entropy(1, 400)));
    ck_assert_double_eq(ms_random_stable_rank(400, 1), 1);
    ck_assert_double_eq(ms_random_effective_rank(1, 400), 1);
    /* All values of a very long matrix are nearly equal. */
    ck_assert_double_eq_tol(ms_random_effective_rank(10, 1000000000), 10, 1e-6);
}
END_TEST

/* A planted direction is a spike; a constant makes no noise, and one direction: rounding makes none. */
START_TEST(spikes) {
    enum { ROWS = 40, COLS = 60 };
    float matrix[ROWS * COLS];
    ms_random_normal_fill(3, 1, 1, ROWS * COLS, matrix);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++)
            for (int k = 1; k <= 2; k++) matrix[i * COLS + j] += (float)(cos(i * k) * sin(j * k + 1));
    const ms_analysis_input input = {.name = "planted", .after = matrix, .rows = ROWS, .cols = COLS};
    ms_analysis a;
    ms_must(ms_analysis_compute(&input, &a));
    ck_assert_double_eq(a.spikes, 2);
    ck_assert(a.values[0] == a.spectrum.sigma_max && a.values[ROWS - 1] == a.spectrum.sigma_min);
    ms_analysis_finish(&a);
    for (int i = 0; i < ROWS * COLS; i++) matrix[i] = 0.1f;
    ms_must(ms_analysis_compute(&input, &a));
    ck_assert_double_eq(a.spikes, 1);
    ck_assert_double_lt(a.sigma_max_random, 1e-6);
    ms_analysis_finish(&a);
    for (int i = 0; i < ROWS * COLS; i++) matrix[i] = 0;
    ms_must(ms_analysis_compute(&input, &a));
    ck_assert(isnan(a.spikes) && a.std == 0 && a.spectrum.sigma_max == 0);
    ms_analysis_finish(&a);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("random_matrix");
    TCase *tests = tcase_create("random_matrix");
    tcase_add_loop_test(tests, levels_are_those_of_simulated_matrices, 0, sizeof shapes / sizeof *shapes);
    tcase_add_test(tests, formulas);
    tcase_add_test(tests, spikes);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
