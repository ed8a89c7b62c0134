/* The spectrum of one matrix of any file beside what a random matrix has, and of its change since another file. */
#ifndef MS_TRACKER_ANALYSIS_H
#define MS_TRACKER_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"
#include "tracker/elements.h"
#include "tracker/spectrum.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One matrix [rows, cols], row-major, in whatever type the file has; arrays need not be aligned. */
typedef struct ms_analysis_input {
    const char *name;  /* for messages */
    const void *after; /* W */
    ms_element after_type;
    const void *before; /* W0, what W is compared with; NULL: there is nothing to compare with */
    ms_element before_type;
    int rows, cols; /* >= 1 */
} ms_analysis_input;

/* What is undefined is NaN.  Definitions: tracker/analysis.def, and tracker/metrics.def for those of `spectrum`. */
typedef struct ms_analysis {
    ms_spectrum spectrum;
#define ABOUT(key, ...)
#define LIST(key)
#define METRIC(key)
#define LEVEL(key, ...) double key;
#define UPDATE_LIST(key)
#define UPDATE_METRIC(key)
#define UPDATE_LEVEL(key, ...) double key;
#include "tracker/analysis.def"
    int n_values;          /* r, the smaller side, or what ms_analysis_keep_top left; 0: not computed */
    double *values;        /* [r] all singular values of W, descending; owned */
    double *update_values; /* [r] of dW; below 1e-3 of the largest good to 1e-12 of that one alone; owned, NULL without
                              W0 */
} ms_analysis;

/* Nothing is defined, and nothing owned. */
void ms_analysis_clear(ms_analysis *out);

/* Bytes that ms_analysis_compute takes for as long as it runs, a direct SVD aside; 0 for sides below 1, SIZE_MAX where
   they need more than can be addressed.  Thread-safe. */
size_t ms_analysis_bytes(int rows, int cols);

/* About how many floating-point operations ms_analysis_compute makes: to sort by, and for the time left.
   Thread-safe. */
double ms_analysis_cost(int rows, int cols, bool has_before);

/* Computes all of it, on the calling thread alone, so that a result depends on the numbers only.  The caller finishes
   *out, also after an error.  MS_INVALID: a side below 1.  MS_NUMERIC: an element that is not finite (named), or of
   which an f64 cannot hold the square.  MS_OUT_OF_MEMORY.  MS_INTERNAL: LAPACK did not converge.  Errors of
   ms_blas_prepare.  Thread-safe: with more than one thread, ms_blas_reserve was called for all. */
ms_status ms_analysis_compute(const ms_analysis_input *input, ms_analysis *out);
/* Gives back the memory of all but the n_top >= 0 largest values. */
void ms_analysis_keep_top(ms_analysis *analysis, int n_top);
void ms_analysis_finish(ms_analysis *analysis); /* a zeroed one is fine */

#ifdef __cplusplus
}
#endif

#endif
