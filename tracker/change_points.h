/* Where a series changes its mean, how noisy it is, and how far two series move together.  Plain arrays in f64, on the
   calling thread.  Nothing here may be NaN or infinite. */
#ifndef MS_TRACKER_CHANGE_POINTS_H
#define MS_TRACKER_CHANGE_POINTS_H

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values between two changes, at least. */
enum { MS_CHANGE_SHORTEST = 3 };

/* Splits n values into segments so that sum (x - mean of its segment)^2 + penalty * (segments - 1) is least.
   out_begins [n / MS_CHANGE_SHORTEST]: where each segment but the first begins, ascending; out_n: how many.
   PELT (Killick, Fearnhead & Eckley 2012): exact, candidates that can never win are dropped.  MS_INVALID: n below 1, or
   a penalty that is negative or not finite.  MS_OUT_OF_MEMORY. */
ms_status ms_change_points(const double *values, int n, double penalty, int *out_begins, int *out_n);

typedef struct ms_series_noise {
    double variance;        /* of a value about its mean */
    double autocorrelation; /* of neighbours, in [0, 0.9] */
} ms_series_noise;

/* The noise of a series whose mean may change, as that of a first-order autoregression: from the differences of values
   that are 1 and 2 apart, whose variances are 2 v (1 - a) and 2 v (1 - a^2).  These variances are those of the smaller
   nine tenths of the differences, so that some jumps do not count; of all where those are 0.  variance is 0 for a
   constant series and below 4 values.  MS_INVALID: n below 1.  MS_OUT_OF_MEMORY. */
ms_status ms_series_noise_of(const double *values, int n, ms_series_noise *out);

/* The penalty of a change: factor * variance (1 + a) / (1 - a) * ln n.  The second factor is what sums of correlated
   noise have more than those of white noise.  How often noise alone is then taken for a change: docs/phases.md. */
#define MS_CHANGE_FACTOR 4.0
double ms_change_penalty(const ms_series_noise *noise, int n, double factor);

/* Pearson's correlation; NaN where either is constant or n is below 3. */
double ms_correlation(const double *a, const double *b, int n);

/* The share of circular shifts of b, the one of 0 among them, under which |correlation| is at least as large: a p-value
   that keeps the autocorrelation of both series.  Up to 1000 values all shifts are tried, so that 1 / n is the least;
   beyond that 999 drawn by `seed`.  NaN as ms_correlation. */
double ms_correlation_p(const double *a, const double *b, int n, unsigned long long seed);

#ifdef __cplusplus
}
#endif

#endif
