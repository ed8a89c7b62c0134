#include "tracker/change_points.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "platform/random.h"

/* --- PELT --- */

/* A place where the last segment may begin. */
typedef struct candidate {
    int begin;
    int beaten_at; /* a segment that begins here is better wherever it is long enough; -1: nowhere yet */
} candidate;

typedef struct search {
    double *sum, *squares; /* [n + 1] prefix sums of the values less their mean */
    double *best;          /* [n + 1] cost of the best split of the first i values; infinite where there is none */
    int *from;             /* [n + 1] where its last segment begins */
    candidate *candidates; /* [n + 1] */
    int n_candidates;
} search;

static void search_finish(search *it) {
    free(it->sum);
    free(it->squares);
    free(it->best);
    free(it->from);
    free(it->candidates);
}

static ms_status search_init(const double *values, int n, search *out) {
    size_t size = (size_t)n + 1;
    *out = (search){calloc(size, sizeof(double)), calloc(size, sizeof(double)),    calloc(size, sizeof(double)),
                    calloc(size, sizeof(int)),    calloc(size, sizeof(candidate)), 0};
    if (!out->sum || !out->squares || !out->best || !out->from || !out->candidates)
        return MS_FAIL(MS_OUT_OF_MEMORY, "change points of %d values", n);
    double mean = 0;
    for (int i = 0; i < n; i++) mean += values[i] / n;
    for (int i = 0; i < n; i++) {
        double x = values[i] - mean;
        out->sum[i + 1] = out->sum[i] + x;
        out->squares[i + 1] = out->squares[i] + x * x;
    }
    return MS_OK;
}

/* Squared deviations of the values begin .. end - 1 from their mean. */
static double cost(const search *it, int begin, int end) {
    double sum = it->sum[end] - it->sum[begin];
    return fmax(0, it->squares[end] - it->squares[begin] - sum * sum / (end - begin));
}

/* The best split of the first `end` values, from those of fewer. */
static void advance(search *it, int end, double penalty) {
    it->best[end] = INFINITY;
    for (int i = 0; i < it->n_candidates; i++) {
        int begin = it->candidates[i].begin;
        if (end - begin < MS_CHANGE_SHORTEST) continue;
        double total = it->best[begin] + cost(it, begin, end) + penalty;
        if (total < it->best[end]) {
            it->best[end] = total;
            it->from[end] = begin;
        }
    }
    /* One that costs more without the penalty than the best split loses to a segment that begins at `end`, once that is
       long enough. */
    int n = 0;
    for (int i = 0; i < it->n_candidates; i++) {
        candidate *c = &it->candidates[i];
        if (c->beaten_at >= 0 && end - c->beaten_at >= MS_CHANGE_SHORTEST) continue;
        if (c->beaten_at < 0 && end - c->begin >= MS_CHANGE_SHORTEST &&
            it->best[c->begin] + cost(it, c->begin, end) > it->best[end])
            c->beaten_at = end;
        it->candidates[n++] = *c;
    }
    it->n_candidates = n;
    if (isfinite(it->best[end])) it->candidates[it->n_candidates++] = (candidate){end, -1};
}

ms_status ms_change_points(const double *values, int n, double penalty, int *out_begins, int *out_n) {
    *out_n = 0;
    if (n < 1 || !(penalty >= 0 && penalty < INFINITY))
        return MS_FAIL(MS_INVALID, "change points: %d values, penalty %g", n, penalty);
    search it;
    ms_status status = search_init(values, n, &it);
    if (status == MS_OK && n >= MS_CHANGE_SHORTEST) {
        it.best[0] = -penalty;
        it.candidates[it.n_candidates++] = (candidate){0, -1};
        for (int end = 1; end <= n; end++) advance(&it, end, penalty);
        for (int begin = it.from[n]; begin > 0; begin = it.from[begin]) (*out_n)++;
        int i = *out_n;
        for (int begin = it.from[n]; begin > 0; begin = it.from[begin]) out_begins[--i] = begin;
    }
    search_finish(&it);
    return status;
}

/* --- noise --- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Variance of x[i + lag] - x[i]. */
static double difference_variance(const double *values, int n, int lag, double *scratch) {
    int n_differences = n - lag, n_kept = n_differences - n_differences / 10;
    double kept = 0, all = 0;
    for (int i = 0; i < n_differences; i++) scratch[i] = (values[i + lag] - values[i]) * (values[i + lag] - values[i]);
    qsort(scratch, (size_t)n_differences, sizeof *scratch, compare);
    for (int i = 0; i < n_differences; i++) {
        if (i < n_kept) kept += scratch[i] / n_kept;
        all += scratch[i] / n_differences;
    }
    /* The mean square of the smaller nine tenths of a normal distribution is 0.6230 of its variance. */
    return kept > 0 && n_kept < n_differences ? kept / 0.6230 : all;
}

ms_status ms_series_noise_of(const double *values, int n, ms_series_noise *out) {
    *out = (ms_series_noise){0, 0};
    if (n < 1) return MS_FAIL(MS_INVALID, "noise of %d values", n);
    if (n < 4) return MS_OK;
    double *scratch = calloc((size_t)n, sizeof *scratch);
    if (!scratch) return MS_FAIL(MS_OUT_OF_MEMORY, "noise of %d values", n);
    double near = difference_variance(values, n, 1, scratch), far = difference_variance(values, n, 2, scratch);
    free(scratch);
    if (!(near > 0)) return MS_OK;
    out->autocorrelation = fmin(0.9, fmax(0, far / near - 1));
    out->variance = near / (2 * (1 - out->autocorrelation));
    return MS_OK;
}

double ms_change_penalty(const ms_series_noise *noise, int n, double factor) {
    double a = noise->autocorrelation;
    return factor * noise->variance * (1 + a) / (1 - a) * log(n > 1 ? n : 2);
}

/* --- correlation --- */

/* Of a and b shifted: b[(i + shift) % n]. */
static double shifted_correlation(const double *a, const double *b, int n, int shift) {
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        mean_a += a[i] / n;
        mean_b += b[i] / n;
    }
    for (int i = 0, j = shift; i < n; i++, j = j + 1 < n ? j + 1 : 0) {
        ab += (a[i] - mean_a) * (b[j] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[j] - mean_b) * (b[j] - mean_b);
    }
    /* a constant is one to rounding */
    if (!(aa > 1e-28 * n * mean_a * mean_a) || !(bb > 1e-28 * n * mean_b * mean_b)) return NAN;
    return ab / sqrt(aa * bb);
}

double ms_correlation(const double *a, const double *b, int n) { return n < 3 ? NAN : shifted_correlation(a, b, n, 0); }

double ms_correlation_p(const double *a, const double *b, int n, unsigned long long seed) {
    enum { ALL = 1000 };
    double found = fabs(ms_correlation(a, b, n));
    if (isnan(found)) return NAN;
    int n_tried = n <= ALL ? n : ALL, n_as_large = 1; /* the shift of 0 */
    for (int i = 1; i < n_tried; i++) {
        int shift = n <= ALL ? i : 1 + (int)(ms_random_word(seed, 0, (uint64_t)i) % (unsigned)(n - 1));
        n_as_large += fabs(shifted_correlation(a, b, n, shift)) >= found;
    }
    return (double)n_as_large / n_tried;
}
