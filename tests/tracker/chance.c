/* The chance levels of alignments against a simulation, which also makes their table:
       tests/tracker/chance table 200000 > tracker/chance.def */
#include "tracker/chance.h"

#include <check.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/random.h"
#include "tests/support/suite.h"

enum { K = 5 };

static double normal(uint64_t *state) {
    double radius = sqrt(-2 * log(ms_split_mix_uniform(state) + 0x1p-54));
    return radius * cos(6.283185307179586 * ms_split_mix_uniform(state));
}

/* Sum of the squares of n standard normal numbers: exactly for few, else by Marsaglia and Tsang's rejection (2000). */
static double chi_squared(uint64_t *state, int n) {
    double sum = 0;
    if (n < 32) {
        for (int i = 0; i < n; i++) {
            double x = normal(state);
            sum += x * x;
        }
        return sum;
    }
    double d = n / 2.0 - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(state), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(ms_split_mix_uniform(state) + 0x1p-54) < x * x / 2 + d - d * v + d * log(v)) return 2 * d * v;
    }
}

/* Mean cosine between the span of a Gaussian X [dimension, 5] and that of the first five axes.  X = [A; B]; the cosines
   are the singular values of A L^-T, L L^T = A^T A + B^T B.  B^T B is a Wishart matrix, R^T R with R triangular
   (Bartlett 1933) where B has at least 5 rows, and is added up otherwise. */
static double sample(uint64_t *state, int dimension) {
    double a[K * K], s[K * K] = {0}, cosines[K], work[64], sum = 0;
    int n = dimension - K;
    for (int i = 0; i < K * K; i++) a[i] = normal(state);
    double r[K * K] = {0}; /* rows of R, or of B */
    int n_rows = n < K ? n : K;
    for (int i = 0; i < n_rows; i++)
        for (int j = n < K ? 0 : i; j < K; j++)
            r[i * K + j] = n >= K && i == j ? sqrt(chi_squared(state, n - i)) : normal(state);
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++)
            for (int k = 0; k < K; k++) s[i * K + j] += a[k * K + i] * a[k * K + j] + r[k * K + i] * r[k * K + j];
    if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', K, s, K) != 0) return NAN;
    for (int row = 0; row < K; row++) /* L y = the row of A */
        for (int i = 0; i < K; i++) {
            for (int j = 0; j < i; j++) a[row * K + i] -= s[i * K + j] * a[row * K + j];
            a[row * K + i] /= s[i * K + i];
        }
    if (LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, 'N', 'N', K, K, a, K, cosines, NULL, K, NULL, K, work, 64) != 0)
        return NAN;
    for (int i = 0; i < K; i++) sum += fmin(cosines[i], 1);
    return sum / K;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void simulate(int dimension, int n, double *out_mean, double *out_p95) {
    double *samples = malloc(sizeof(double) * (size_t)n), sum = 0;
    uint64_t state = 1000003u * (uint64_t)dimension;
    for (int i = 0; i < n; i++) sum += samples[i] = sample(&state, dimension);
    qsort(samples, (size_t)n, sizeof *samples, ascending);
    *out_mean = sum / n;
    *out_p95 = samples[(int)(0.95 * n)];
    free(samples);
}

/* 3000 samples: the mean is known to 0.4 % and the percentile to 0.8 % (one standard deviation, at most). */
START_TEST(table_is_what_is_simulated) {
    static const int dimensions[] = {6, 8, 11, 23, 64, 200, 512, 3000};
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++) {
        int d = dimensions[i];
        double mean, p95;
        simulate(d, 3000, &mean, &p95);
        ck_assert_msg(fabs(ms_alignment_random(d) / mean - 1) < 0.015, "%d: mean %g, table %g", d, mean,
                      ms_alignment_random(d));
        ck_assert_msg(fabs(ms_alignment_random_p95(d) / p95 - 1) < 0.025, "%d: p95 %g, table %g", d, p95,
                      ms_alignment_random_p95(d));
    }
}
END_TEST

/* Of 64 dimensions by NumPy: QR of 20,000 Gaussian matrices, singular values of their first five rows. */
START_TEST(known_levels) {
    ck_assert_double_eq_tol(ms_alignment_random(64), 0.2339, 1e-3);
    ck_assert_double_eq_tol(ms_alignment_random_p95(64), 0.2904, 2e-3);
    ck_assert_double_eq_tol(ms_alignment_random(2048), 8 / (3 * 3.14159265358979) * sqrt(5.0 / 2048), 0.002);
    for (int d = 1; d <= 5; d++) {
        ck_assert_double_eq(ms_alignment_random(d), 1);
        ck_assert_double_eq(ms_alignment_random_p95(d), 1);
    }
    for (int d = 5; d < 5000; d++) {
        ck_assert_double_gt(ms_alignment_random(d), ms_alignment_random(d + 1));
        ck_assert_double_gt(ms_alignment_random_p95(d + 1), ms_alignment_random(d + 1));
    }
}
END_TEST

static int print_table(int n) {
    static const int dimensions[] = {6, 7, 8, 10, 12, 16, 24, 32, 64, 128, 512, 4096};
    printf("/* ROW(dimension, mean, 95th percentile) of the mean cosine between two random 5-dimensional subspaces:\n"
           "   tests/tracker/chance table %d. */\n"
           "ROW(5, 1, 1)\n",
           n);
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++) {
        double mean, p95;
        simulate(dimensions[i], n, &mean, &p95);
        printf("ROW(%d, %.5f, %.5f)\n", dimensions[i], mean, p95);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (ms_blas_prepare() != MS_OK) return 1;
    ms_blas_this_thread();
    if (argc == 3 && strcmp(argv[1], "table") == 0) return print_table(atoi(argv[2]));
    TCase *tests = tcase_create("chance");
    tcase_add_test(tests, table_is_what_is_simulated);
    tcase_add_test(tests, known_levels);
    Suite *suite = suite_create("tracker/chance");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
