/* Singular values and leading singular vectors of one matrix, in f64, on the calling thread alone: a result
   depends on the numbers only.

   Method: one Gram matrix over the smaller side (DSYRK), its tridiagonal form (DSYTRD), all eigenvalues (DSTERF) or
   some by bisection (tracker/bisection.h), inverse iteration (DSTEIN) for vectors (DORMTR brings them back); the
   vectors of the longer side are W^T u / s.  A Gram matrix squares the condition: an eigenvalue is off by about E s1^2,
   so a value s by E s1^2 / (2 s), E = MS_DECOMPOSE_EIGENVALUE.  The small values that are reported by themselves (the
   smallest, and those that make the quantiles) are therefore the norms |W^T u| of their vectors, which are good to
   second order in u: u has E s1^2 / gap of another vector whose eigenvalue is a gap away, so that the square of the
   norm is off by at most the sum of min(gap, (E s1^2)^2 / gap) over all others.  Where that is not enough either, the
   values come from a direct SVD (DGESDD in f64), and the vectors too where they need it (see MS_DECOMPOSE_*). */
#ifndef MS_TRACKER_DECOMPOSE_H
#define MS_TRACKER_DECOMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"
#include "tracker/elements.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most vectors that one decomposition gives, and most that are multiplied along with it. */
enum { MS_DECOMPOSE_VECTORS = 10, MS_DECOMPOSE_ALSO = 10 };

/* EIGENVALUE: error of an eigenvalue of a Gram matrix, as a fraction of s1^2.  The others are fractions of s1 but for
   ENTROPY.
   SMALL: values below it are made anew by their vectors.  FLOOR: from here on such a value is good to 1e-8 of itself,
   of whatever matrix; SPLIT_FLOOR: the same where the tridiagonal form falls apart; DIRECT_FLOOR: after a direct SVD,
   and where the gaps of the matrix allow it.  VECTORS: where the last wanted vector's value lies below it, the vectors
   come from a direct SVD.  ENTROPY: the values do where the estimated error of an entropy by the small values is
   larger. */
#define MS_DECOMPOSE_EIGENVALUE 2e-15
#define MS_DECOMPOSE_SMALL 3e-3
#define MS_DECOMPOSE_FLOOR 1e-5
#define MS_DECOMPOSE_SPLIT_FLOOR 3e-4
#define MS_DECOMPOSE_DIRECT_FLOOR 1e-7
#define MS_DECOMPOSE_VECTORS_FLOOR 1e-3
#define MS_DECOMPOSE_ENTROPY 2e-9

/* A matrix [rows, cols], row-major: `plus`, or plus - factor * minus where minus is given, in f64. */
typedef struct ms_decompose_source {
    const char *name;               /* for messages, e.g. "layer 3 up" */
    const char *plus_is, *minus_is; /* what follows the element in a message, e.g. " after the update" */
    const void *plus, *minus;
    ms_element plus_type, minus_type;
    double factor;
    int rows, cols; /* >= 1 */
} ms_decompose_source;

typedef enum ms_decompose_values {
    MS_DECOMPOSE_LEADING,  /* n_vectors + 1 of them */
    MS_DECOMPOSE_REPORTED, /* the MS_DECOMPOSE_VECTORS largest, the smallest, those next to each quantile of
                              ms_decompose_percents; the others are NaN */
    MS_DECOMPOSE_ALL,      /* those of REPORTED with the same bits */
    MS_DECOMPOSE_ACCURATE  /* all, by a direct SVD wherever small values or entropies would be worse than 1e-8 */
} ms_decompose_values;

/* The quantiles that are reported, in percent: 1, 10, 50, 90. */
enum { MS_DECOMPOSE_N_PERCENTS = 4 };
extern const int ms_decompose_percents[MS_DECOMPOSE_N_PERCENTS];

typedef struct ms_decompose_request {
    ms_decompose_values values;
    int n_vectors; /* wanted on both sides, at most MS_DECOMPOSE_VECTORS; fewer where the smaller side is shorter */
    const double *also;   /* [smaller, n_also] column-major, or NULL: also_product is the matrix, seen from its longer
                             side, times this, in the same pass over the matrix */
    int n_also;           /* at most MS_DECOMPOSE_ALSO */
    double *also_product; /* [longer, n_also] */
} ms_decompose_request;

/* Arrays belong to the caller of ms_decompose; vectors are columns. */
typedef struct ms_decomposition {
    double *values;        /* [smaller], descending; the first n_values are there (REPORTED: NaN in between) */
    double *small_vectors; /* [smaller, n_vectors]; may be NULL where none are wanted */
    double *long_vectors;  /* [longer, n_vectors] */
    int n_values, n_vectors;
    double squares;   /* sum of squares of all elements */
    double floor;     /* a value that is reported by itself is good to 1e-8 of itself from here on */
    double tolerance; /* a value at most this is 0 to rounding (the rule of numpy.linalg.matrix_rank) */
} ms_decomposition;

typedef struct ms_decompose_scratch ms_decompose_scratch;

/* Bytes that ms_decompose_scratch_create takes; 0 for sides that it refuses, SIZE_MAX where more are needed than can be
   addressed.  Thread-safe. */
size_t ms_decompose_scratch_bytes(int smaller, int longer);
/* For matrices of at most these sides; the caller destroys it.  MS_INVALID: sizes below 1 or smaller > longer;
   MS_OUT_OF_MEMORY; errors of ms_blas_prepare. */
ms_status ms_decompose_scratch_create(int smaller, int longer, ms_decompose_scratch **out);
void ms_decompose_scratch_destroy(ms_decompose_scratch *scratch);

/* A matrix of zeros has values 0 and no vectors.  MS_INVALID: a matrix beyond the scratch.  MS_NUMERIC: an element is
   not finite (named), or so large or small that its square is no f64 (of f64 matrices alone).  MS_OUT_OF_MEMORY (direct
   SVD only).  MS_INTERNAL: LAPACK did not converge. Thread-safe with one scratch per thread; the thread has called
   ms_blas_this_thread. */
ms_status ms_decompose(ms_decompose_scratch *scratch, const ms_decompose_source *source,
                       const ms_decompose_request *request, ms_decomposition *out);

/* The positions, counted from the largest value, between which the quantile `percent` of n values lies, and the weight
   of the second: NumPy's linear rule. */
void ms_quantile_place(int n, int percent, int *out_first, int *out_second, double *out_weight);

#ifdef __cplusplus
}
#endif

#endif
