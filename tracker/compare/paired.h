/* Paired differences: the t interval of their mean, the exact test that flips signs, and Holm's correction.  Sources
   and what each assumes: docs/compare.md.  Thread-safe. */
#ifndef MS_TRACKER_COMPARE_PAIRED_H
#define MS_TRACKER_COMPARE_PAIRED_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* With fewer pairs no p-value is at or below 0.05 (2 / 2^5 = 0.0625), so none is given; with more the 2^n sign patterns
   are too many to count. */
enum { MS_PAIRED_LEAST = 6, MS_PAIRED_MOST = 40 };

/* NaN where it is not defined. */
typedef struct ms_paired {
    int n;            /* pairs */
    double mean;      /* of the differences; n >= 1 */
    double deviation; /* their standard deviation (n - 1 in the denominator); n >= 2 */
    double low, high; /* the t interval of the mean; n >= 2 */
    double p;         /* two-sided, of all 2^n patterns of signs; MS_PAIRED_LEAST <= n <= MS_PAIRED_MOST */
    double p_least;   /* 2 / 2^n, the least that n pairs can reach; n >= 1 */
} ms_paired;

/* Mean, deviation and t interval of n >= 0 finite values; p stays NaN. */
void ms_paired_interval(const double *values, size_t n, double confidence, ms_paired *out);

/* The same with p: the share of all patterns of signs whose |sum| is at least the observed one.  Under the hypothesis
   that each difference is as likely as its negative, P(p <= a) <= a for every a.  Sums that agree to 1e-12 of the sum
   of absolute differences are taken for equal.  Memory: 2^(n / 2 + 4) bytes.  MS_OUT_OF_MEMORY. */
ms_status ms_paired_test(const double *differences, size_t n, double confidence, ms_paired *out);

/* Holm's (1979) step-down correction: out[i] is the smallest family-wise level at which p[i] is rejected among those
   that are no NaN; NaN stays.  out may be p.  MS_OUT_OF_MEMORY. */
ms_status ms_holm(const double *p, size_t n, double *out);

#ifdef __cplusplus
}
#endif

#endif
