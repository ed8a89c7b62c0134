#include "tracker/compare/paired.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "tracker/compare/student.h"

void ms_paired_interval(const double *values, size_t n, double confidence, ms_paired *out) {
    *out = (ms_paired){(int)n, NAN, NAN, NAN, NAN, NAN, NAN};
    if (n == 0) return;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    out->mean = sum / (double)n;
    out->p_least = fmin(1, ldexp(2, -(int)n));
    if (n < 2) return;
    for (size_t i = 0; i < n; i++) squares += (values[i] - out->mean) * (values[i] - out->mean);
    out->deviation = sqrt(squares / (double)(n - 1));
    double reach = ms_student_quantile(confidence, (int)n - 1) * out->deviation / sqrt((double)n);
    out->low = out->mean - reach;
    out->high = out->mean + reach;
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* All 2^n sums of +-values[i], ascending, into out. */
static void signed_sums(const double *values, size_t n, double *out) {
    size_t count = 1;
    out[0] = 0;
    for (size_t i = 0; i < n; i++, count *= 2)
        for (size_t k = 0; k < count; k++) {
            out[count + k] = out[k] - values[i];
            out[k] += values[i];
        }
    qsort(out, count, sizeof *out, compare_doubles);
}

/* Pairs with a + b >= bound.  Both ascending. */
static uint64_t count_at_least(const double *a, size_t n_a, const double *b, size_t n_b, double bound) {
    uint64_t count = 0;
    size_t j = n_b;
    for (size_t i = 0; i < n_a; i++) {
        while (j > 0 && a[i] + b[j - 1] >= bound) j--;
        count += n_b - j;
    }
    return count;
}

ms_status ms_paired_test(const double *differences, size_t n, double confidence, ms_paired *out) {
    ms_paired_interval(differences, n, confidence, out);
    if (n < MS_PAIRED_LEAST || n > MS_PAIRED_MOST) return MS_OK;
    size_t n_left = n / 2, size_left = (size_t)1 << n_left, size_right = (size_t)1 << (n - n_left);
    double *sums = malloc((size_left + size_right) * sizeof *sums), observed = 0, absolute = 0;
    if (!sums) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for the sign patterns of %zu pairs", n);
    for (size_t i = 0; i < n; i++) {
        observed += differences[i];
        absolute += fabs(differences[i]);
    }
    double *right = sums + size_left, bound = fabs(observed) - 1e-12 * absolute, n_patterns = ldexp(1, (int)n);
    signed_sums(differences, n_left, sums);
    signed_sums(differences + n_left, n - n_left, right);
    /* Flipping all signs of a pattern turns its sum: as many are at most -bound as are at least bound. */
    double n_beyond = 2 * (double)count_at_least(sums, size_left, right, size_right, bound);
    out->p = fmin(1, n_beyond / n_patterns);
    free(sums);
    return MS_OK;
}

static int compare_pointed(const void *left, const void *right) {
    return compare_doubles(*(const double *const *)left, *(const double *const *)right);
}

ms_status ms_holm(const double *p, size_t n, double *out) {
    size_t n_tests = 0;
    const double **order = malloc((n + 1) * sizeof *order);
    double *corrected = malloc((n + 1) * sizeof *corrected);
    if (!order || !corrected) {
        free(order);
        free(corrected);
        return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu tests", n);
    }
    for (size_t i = 0; i < n; i++) {
        corrected[i] = NAN;
        if (!isnan(p[i])) order[n_tests++] = &p[i];
    }
    qsort(order, n_tests, sizeof *order, compare_pointed);
    double greatest = 0;
    for (size_t k = 0; k < n_tests; k++) {
        greatest = fmax(greatest, fmin(1, (double)(n_tests - k) * *order[k]));
        corrected[order[k] - p] = greatest;
    }
    for (size_t i = 0; i < n; i++) out[i] = corrected[i];
    free(order);
    free(corrected);
    return MS_OK;
}
