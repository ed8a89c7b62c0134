#include "tracker/activations.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "tracker/entropy.h"

enum { BLOCK = 32 }; /* columns that DSYTRD works on at a time: OpenBLAS' own */

/* Largest estimated error of log(effective rank) that a Gram matrix may leave. */
static const double GRAM_TOLERANCE = 1e-9;

struct ms_activation_scratch {
    int n_tokens, n_channels;
    double *memory; /* one allocation, cut into the arrays below */
    double *x;      /* [N, M] */
    double *gram;   /* [r, r], r = min(N, M) */
    double *values; /* [r] */
    double *work;   /* [(BLOCK + 2) r] */
};

static size_t scratch_doubles(size_t n, size_t m) {
    size_t r = n < m ? n : m;
    return n * m + r * r + r + (BLOCK + 2) * r;
}

size_t ms_activation_scratch_bytes(int n_tokens, int n_channels) {
    return sizeof(ms_activation_scratch) + sizeof(double) * scratch_doubles((size_t)n_tokens, (size_t)n_channels);
}

ms_status ms_activation_scratch_create(int n_tokens, int n_channels, ms_activation_scratch **out) {
    *out = NULL;
    if (n_tokens < 1 || n_channels < 1)
        return MS_FAIL(MS_INVALID, "activations of %d tokens and %d channels: each must be at least 1", n_tokens,
                       n_channels);
    MS_TRY(ms_blas_prepare());
    MS_TRY(ms_blas_reserve(1));
    size_t n = (size_t)n_tokens, m = (size_t)n_channels, r = n < m ? n : m;
    ms_activation_scratch *scratch = calloc(1, sizeof *scratch);
    double *memory = malloc(sizeof(double) * scratch_doubles(n, m));
    if (!scratch || !memory) {
        free(scratch);
        free(memory);
        return MS_FAIL(MS_OUT_OF_MEMORY, "activations: %zu bytes", ms_activation_scratch_bytes(n_tokens, n_channels));
    }
    *scratch = (ms_activation_scratch){
        n_tokens, n_channels, memory, memory, memory + n * m, memory + n * m + r * r, memory + n * m + r * r + r};
    *out = scratch;
    return MS_OK;
}

void ms_activation_scratch_destroy(ms_activation_scratch *scratch) {
    if (!scratch) return;
    free(scratch->memory);
    free(scratch);
}

static ms_status check_lapack(lapack_int info, const char *routine, const char *name) {
    return info == 0 ? MS_OK : MS_FAIL(MS_INTERNAL, "%s: %s returned %d", name, routine, (int)info);
}

/* Converts to f64; RMS and largest value. */
static ms_status load(ms_activation_scratch *scratch, const char *name, const float *x, size_t n,
                      ms_activation_statistics *out) {
    double sum = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double value = x[i];
        if (!isfinite(value)) return MS_FAIL(MS_NUMERIC, "%s: element %zu is %g", name, i, value);
        scratch->x[i] = value;
        sum += value * value;
        largest = fmax(largest, fabs(value));
    }
    *out = (ms_activation_statistics){sqrt(sum / (double)n), largest, NAN, NAN};
    return MS_OK;
}

/* Error of log(effective rank) through a Gram matrix, whose eigenvalues are off by about E s1^2: a value s by that over
   2 s, at most by sqrt(E) s1, and -p log p by up to 30 times that over sum s. */
static double gram_error(const double *values, int r) {
    static const double E = 2e-15;
    double sum = 0, error = 0, first = values[0];
    for (int i = 0; i < r; i++) {
        sum += values[i];
        error += fmin(E * first * first / (2 * fmax(values[i], DBL_MIN)), sqrt(E) * first);
    }
    return 30 * error / sum;
}

/* Singular values into scratch->values, largest first.  Row-major X is column-major X^T [M, N]. */
static ms_status singular_values(ms_activation_scratch *scratch, const char *name, int n, int m) {
    int r = n < m ? n : m, longer = n < m ? m : n;
    cblas_dsyrk(CblasColMajor, CblasLower, n < m ? CblasTrans : CblasNoTrans, r, longer, 1, scratch->x, m, 0,
                scratch->gram, r);
    MS_TRY(check_lapack(LAPACKE_dsyev_work(LAPACK_COL_MAJOR, 'N', 'L', r, scratch->gram, r, scratch->values,
                                           scratch->work, (BLOCK + 2) * r),
                        "DSYEV", name));
    for (int i = 0, j = r - 1; i <= j; i++, j--) {
        double low = scratch->values[i], high = scratch->values[j];
        scratch->values[i] = sqrt(fmax(high, 0));
        scratch->values[j] = sqrt(fmax(low, 0));
    }
    if (gram_error(scratch->values, r) <= GRAM_TOLERANCE) return MS_OK;
    return check_lapack(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', m, n, scratch->x, m, scratch->values, NULL, 1, NULL, 1),
                        "DGESDD", name);
}

ms_status ms_activation_compute(ms_activation_scratch *scratch, const char *name, const float *x, int n_tokens,
                                int n_channels, ms_activation_statistics *out) {
    if (n_tokens < 1 || n_channels < 1 || n_tokens > scratch->n_tokens || n_channels > scratch->n_channels)
        return MS_FAIL(MS_INVALID, "%s: [%d, %d], but scratch for [%d, %d]", name, n_tokens, n_channels,
                       scratch->n_tokens, scratch->n_channels);
    ms_blas_this_thread();
    MS_TRY(load(scratch, name, x, (size_t)n_tokens * (size_t)n_channels, out));
    if (out->largest == 0) return MS_OK;
    MS_TRY(singular_values(scratch, name, n_tokens, n_channels));
    int r = n_tokens < n_channels ? n_tokens : n_channels;
    double sum = 0, squares = 0, fourths = 0, first = scratch->values[0];
    for (int i = 0; i < r; i++) {
        scratch->values[i] /= first;
        double s = scratch->values[i], square = s * s;
        sum += s;
        squares += square;
        fourths += square * square;
    }
    out->effective_rank = exp(ms_entropy(scratch->values, r, false, sum));
    out->participation_ratio = squares * squares / fourths;
    return MS_OK;
}
