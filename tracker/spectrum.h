/* Spectral metrics of one weight matrix and of the update that was applied to it.

   W [rows, cols] row-major f32 is the matrix after the update, dW = after - before in f64, r = min(rows, cols),
   singular values s1 >= s2 >= ... >= sr, U_k and V_k the top-k left (length rows) and right (length cols) singular
   vectors.  All arithmetic is f64 and runs on the calling thread alone, so that a result depends on the numbers only.

   Method: one Gram matrix over the smaller side (DSYRK), its tridiagonal form (DSYTRD), all eigenvalues (DSTERF; only
   for W), the leading ones by bisection (DSTEBZ) with inverse iteration (DSTEIN) for their vectors (DORMTR brings them
   back); the vectors of the longer side are W^T U_k / s_k.  A Gram matrix squares the condition: where a needed value
   lies too far below s1 for that (see MS_SPECTRUM_DIRECT_*), the matrix goes through a direct SVD (DGESDD in f64)
   instead.

   Definitions: the spectral analyses of vukrosic/muon-llm-research (alignment, entropy heat maps, stretching); stable
   rank: Rudelson & Vershynin 2007; effective rank: Roy & Vetterli 2007.  An undefined metric is NaN here and null in
   JSON. */
#ifndef MS_TRACKER_SPECTRUM_H
#define MS_TRACKER_SPECTRUM_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Leading singular values and velocities that are reported; dimension of the aligned subspaces. */
enum { MS_SPECTRUM_TOP = 10, MS_SPECTRUM_ALIGN = 5 };

/* When a Gram matrix is not good to 1e-6 in the metrics: its eigenvalues are off by about 1e-15 s1^2.  ENTROPY:
   estimated error of entropy_l1 by the small values.  VECTORS: fraction of s1 below which a leading vector of W (for
   the velocities) is turned too far; ALIGN: the same for s5 of dW. */
#define MS_SPECTRUM_DIRECT_ENTROPY 2e-7
#define MS_SPECTRUM_DIRECT_VECTORS 1e-4
#define MS_SPECTRUM_DIRECT_ALIGN 1e-4

/* X(name): the scalar metrics in the order of the JSON line.  See ms_spectrum for their meaning. */
#define MS_SPECTRUM_SCALARS(X)                                                                                         \
    X(sigma_max)                                                                                                       \
    X(gap)                                                                                                             \
    X(sigma_mean)                                                                                                      \
    X(frobenius)                                                                                                       \
    X(stable_rank)                                                                                                     \
    X(effective_rank)                                                                                                  \
    X(spectral_entropy)                                                                                                \
    X(entropy_l1)                                                                                                      \
    X(orthogonality_error)                                                                                             \
    X(alignment_left)                                                                                                  \
    X(alignment_right)                                                                                                 \
    X(alignment_random)                                                                                                \
    X(alignment_random_right)                                                                                          \
    X(alignment_margin)                                                                                                \
    X(cosine)                                                                                                          \
    X(update_ratio)

typedef struct ms_spectrum {
    double sigma_max;              /* s1 */
    double gap;                    /* s1 / s2; NaN where r < 2 or s2 is 0 to rounding */
    double sigma_mean;             /* mean of all r values */
    double frobenius;              /* sqrt(sum s^2) */
    double stable_rank;            /* sum s^2 / s1^2; NaN for W = 0 */
    double effective_rank;         /* exp(-sum p log p), p = s / sum s; NaN for W = 0 */
    double spectral_entropy;       /* -sum p log p / log r, p = s^2 / sum s^2; NaN for W = 0 or r = 1 */
    double entropy_l1;             /* the same with p = s / sum s (what published heat maps use) */
    double orthogonality_error;    /* |Wn^T Wn - I|_F / sqrt(r), Wn = W / s1, over the smaller side; NaN for W = 0 */
    double alignment_left;         /* mean singular value of U5(W)^T U5(dW); NaN where either has rank < 5 */
    double alignment_right;        /* the same of V5(W)^T V5(dW) */
    double alignment_random;       /* expected alignment_left of random subspaces, ms_alignment_random(rows) */
    double alignment_random_right; /* expected alignment_right, ms_alignment_random(cols) */
    double alignment_margin;       /* (s5 - s6) / s1 of dW: near 0 the alignment is noise; NaN for r < 6, dW = 0 */
    double cosine;                 /* <W, dW> / (|W| |dW|); NaN where either is 0 */
    double update_ratio;           /* |dW| / |W|; NaN for W = 0 */
    int n_top;                     /* valid entries of sigma_top: min(r, MS_SPECTRUM_TOP) */
    double sigma_top[MS_SPECTRUM_TOP]; /* leading singular values, descending */
    double
        velocity_top[MS_SPECTRUM_TOP]; /* u_i^T dW v_i, the first-order change of s_i; NaN where s_i is 0 to rounding */
} ms_spectrum;

/* One matrix and its state before the update. */
typedef struct ms_spectrum_input {
    const char *name;    /* for messages, e.g. "layer 3 up" */
    const float *before; /* [rows, cols] before the update */
    const float *after;  /* [rows, cols] after it */
    int rows, cols;      /* >= 1 */
} ms_spectrum_input;

/* Scratch memory of one thread, sized for the largest matrix it will see. */
typedef struct ms_spectrum_scratch ms_spectrum_scratch;

/* Bytes that ms_spectrum_scratch_create takes for matrices whose smaller side is at most `smaller`, and longer side at
   most `longer`.  A direct SVD takes more, for as long as it runs.  0 for sides that ms_spectrum_scratch_create
   refuses; SIZE_MAX where they need more than can be addressed.  Thread-safe. */
size_t ms_spectrum_scratch_bytes(int smaller, int longer);

/* Makes scratch memory; the caller destroys it.  MS_INVALID for sizes below 1 or smaller > longer, MS_OUT_OF_MEMORY,
   errors of ms_blas_prepare (platform/blas.h). */
ms_status ms_spectrum_scratch_create(int smaller, int longer, ms_spectrum_scratch **out);
void ms_spectrum_scratch_destroy(ms_spectrum_scratch *scratch);

/* Computes every metric of one matrix.  Sets OpenBLAS to one thread for the calling thread.
   MS_INVALID: sizes beyond the scratch.  MS_NUMERIC: a weight is NaN or infinite (names the matrix and the element).
   MS_OUT_OF_MEMORY (direct SVD only).  MS_INTERNAL: LAPACK did not converge.
   Thread-safe with one scratch per thread. */
ms_status ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out);

/* Scalars of MS_SPECTRUM_SCALARS. */
enum {
#define X(name) MS_SPECTRUM_INDEX_##name,
    MS_SPECTRUM_SCALARS(X)
#undef X
        MS_SPECTRUM_N_SCALARS
};
/* The name of scalar number i, e.g. "sigma_max"; NULL: there is none.  Static.  Thread-safe. */
const char *ms_spectrum_scalar_name(int i);

/* The spectrum of one matrix [rows, cols], row-major, in plain arrays: for callers in other languages.
   out_singular_values [min(rows, cols)], descending; out_scalars [MS_SPECTRUM_N_SCALARS], in the order of
   MS_SPECTRUM_SCALARS; either may be NULL.  There is no update: what compares with one is NaN, or 0 (update_ratio).
   MS_INVALID: a side below 1, no matrix.  Errors of ms_spectrum_scratch_create and ms_spectrum_compute.
   Thread-safe. */
ms_status ms_spectrum_of_matrix(const float *matrix, int rows, int cols, double *out_singular_values,
                                double *out_scalars);

/* Mean cosine of the principal angles between two random 5-dimensional subspaces of a space of `dimension` >= 1:
   8/(3 pi) sqrt(5/dimension), the mean of the quarter-circle law, at most 1 (which it is for dimension <= 5).
   Thread-safe. */
double ms_alignment_random(int dimension);

#ifdef __cplusplus
}
#endif

#endif
