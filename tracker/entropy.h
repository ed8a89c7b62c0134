/* How evenly a sum is spread over its parts. */
#ifndef MS_TRACKER_ENTROPY_H
#define MS_TRACKER_ENTROPY_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -sum p log p of the n shares p = x / total (squared: x^2 / total), x >= 0; terms of x = 0 are 0.  total > 0: what the
   caller added up.  Thread-safe. */
double ms_entropy(const double *values, int n, bool squared, double total);

#ifdef __cplusplus
}
#endif

#endif
