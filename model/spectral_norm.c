#include "model/spectral_norm.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 64 };

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void subtract(double factor, const double *x, double *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] -= factor * x[i];
}

/* y [columns] = A^T A x. */
static void apply(const float *matrix, int64_t rows, int64_t columns, const double *x, double *y) {
    memset(y, 0, (size_t)columns * sizeof *y);
    for (int64_t i = 0; i < rows; i++) {
        const float *row = matrix + i * columns;
        double u = 0;
        for (int64_t j = 0; j < columns; j++) u += (double)row[j] * x[j];
        for (int64_t j = 0; j < columns; j++) y[j] += u * (double)row[j];
    }
}

/* Whether the symmetric tridiagonal matrix has an eigenvalue above x: a sign of the LDL^T of T - x is positive. */
static bool has_above(const double *diagonal, const double *beside, int n, double x) {
    double d = diagonal[0] - x;
    for (int i = 1; d <= 0 && i < n; i++) {
        if (d == 0) d = -1e-300;
        d = diagonal[i] - x - beside[i - 1] * beside[i - 1] / d;
    }
    return d > 0;
}

static double largest_eigenvalue(const double *diagonal, const double *beside, int n) {
    double low = 0, high = 0;
    for (int i = 0; i < n; i++) {
        double reach = diagonal[i] + (i > 0 ? fabs(beside[i - 1]) : 0) + (i + 1 < n ? fabs(beside[i]) : 0);
        if (reach > high) high = reach;
    }
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (has_above(diagonal, beside, n, middle))
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

ms_status ms_spectral_norm(const float *matrix, int64_t rows, int64_t columns, double *out) {
    int most = columns < MOST_STEPS ? (int)columns : MOST_STEPS, n = 0;
    double diagonal[MOST_STEPS], beside[MOST_STEPS];
    double *basis = malloc(((size_t)most + 1) * (size_t)columns * sizeof *basis);
    *out = 0;
    if (!basis)
        return MS_FAIL(MS_OUT_OF_MEMORY, "init: no memory for the spectral norm of %lld columns", (long long)columns);
    for (int64_t j = 0; j < columns; j++) basis[j] = (double)(1 + j * 7 % 11);
    double norm = sqrt(dot(basis, basis, columns)), largest = 0;
    for (int64_t j = 0; j < columns; j++) basis[j] /= norm;
    while (n < most) {
        double *v = basis + n * columns, *w = v + columns;
        apply(matrix, rows, columns, v, w);
        diagonal[n] = dot(v, w, columns);
        if (diagonal[n] > largest) largest = diagonal[n];
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i <= n; i++)
                subtract(dot(basis + i * columns, w, columns), basis + i * columns, w, columns);
        beside[n] = sqrt(dot(w, w, columns));
        n++;
        if (!(beside[n - 1] > 1e-13 * largest)) break; /* the space is exhausted */
        for (int64_t j = 0; j < columns; j++) w[j] /= beside[n - 1];
    }
    *out = sqrt(largest_eigenvalue(diagonal, beside, n));
    free(basis);
    return MS_OK;
}
