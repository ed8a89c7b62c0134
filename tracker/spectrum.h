/* Spectral metrics of one weight matrix and of the update that was applied to it.

   W0 and W [rows, cols] row-major are the matrix before and after the update, dW = W - W0 in f64, r = min(rows,
   cols), singular values s1 >= s2 >= ... >= sr, U_k and V_k the top-k left (length rows) and right (length cols)
   singular vectors.  How they are found: tracker/decompose.h.  All arithmetic is f64 and runs on the calling thread
   alone, so that a result depends on the numbers only.

   Definitions and sources: tracker/metrics.def.  An undefined metric is NaN here and null in JSON. */
#ifndef MS_TRACKER_SPECTRUM_H
#define MS_TRACKER_SPECTRUM_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"
#include "tracker/chance.h"
#include "tracker/elements.h"
#include "tracker/last.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Leading singular values and velocities that are reported; dimension of the aligned subspaces. */
enum { MS_SPECTRUM_TOP = 10, MS_SPECTRUM_ALIGN = MS_LAST_VECTORS };

/* A LIST has n_<key> valid entries, a SCALAR is one number: tracker/metrics.def says which. */
typedef struct ms_spectrum {
#define ABOUT(key, ...)
#define LIST(key, capacity, ...)                                                                                       \
    int n_##key;                                                                                                       \
    double key[capacity];
#define SCALAR(key, ...) double key;
#define SLOT(key, ...)
#include "tracker/metrics.def"
} ms_spectrum;

/* Whose singular values are given in full: of W, of dW + c W0 (the update without its decay), of u and of O. */
typedef enum ms_spectrum_of {
    MS_SPECTRUM_OF_WEIGHT,
    MS_SPECTRUM_OF_UPDATE,
    MS_SPECTRUM_OF_MOMENTUM,
    MS_SPECTRUM_OF_ORTHOGONAL,
    MS_SPECTRUM_OF_COUNT
} ms_spectrum_of;
/* Names by value: "weight", ...; ends with NULL. */
extern const char *const ms_spectrum_of_names[];

/* One matrix and its state before the update. */
typedef struct ms_spectrum_input {
    const char *name;   /* for messages, e.g. "layer 3 up" */
    const void *before; /* W0 [rows, cols]; NULL: there is no update */
    const void *after;  /* W [rows, cols] */
    ms_element before_type, after_type;
    int rows, cols; /* >= 1 */
    /* Only with an update: */
    const float *momentum;   /* u [rows, cols], what entered the orthogonalisation; NULL: not known */
    const float *orthogonal; /* O [rows, cols], what it gave, before any scale; NULL: not known */
    double decay_share;      /* c: dW = the optimizer's update - c W0; NaN: not known */
    /* With an update or without: */
    ms_last_matrix *last;     /* the same matrix at the last snapshot, which is overwritten by W; NULL: not kept */
    int64_t steps_since_last; /* steps from there to W; 0: there is no last snapshot */
    double *const *complete;  /* [MS_SPECTRUM_OF_COUNT] -> [r]: all singular values, descending, are put there; what is
                                 not known, or NULL, is left as it is.  NULL: none are wanted */
    bool before_is_last;      /* W0 is what the last snapshot would have, one step ago; `last` is NULL */
} ms_spectrum_input;

/* How well an update is conditioned and orthogonalised: the keys of these names in tracker/metrics.def. */
typedef struct ms_update_quality {
    double momentum_quantiles[4], momentum_small_share, update_rank;
    double orthogonality_of_update[6];
} ms_update_quality;

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

/* The rows of tracker/costs.def. */
typedef enum ms_spectrum_cost {
#define COST(key, text) MS_SPECTRUM_COST_##key,
#include "tracker/costs.def"
    MS_SPECTRUM_N_COSTS
} ms_spectrum_cost;

/* Processor seconds of all matrices that went through a scratch, [MS_SPECTRUM_N_COSTS].  Borrowed; belongs to the
   thread of the scratch while it works. */
const double *ms_spectrum_seconds(const ms_spectrum_scratch *scratch);

/* Computes every metric of one matrix.  Sets OpenBLAS to one thread for the calling thread.
   MS_INVALID: sizes beyond the scratch.  MS_NUMERIC: a weight is NaN or infinite (names the matrix and the element).
   MS_OUT_OF_MEMORY (direct SVD only).  MS_INTERNAL: LAPACK did not converge.
   Thread-safe with one scratch per thread. */
ms_status ms_spectrum_compute(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_spectrum *out);

/* The quality of an update alone, e.g. of a whole stored matrix of which each input of ms_spectrum_compute is a part:
   needs name, rows, cols, momentum and orthogonal.  What is not given is NaN.  Errors of ms_spectrum_compute. */
ms_status ms_spectrum_quality(ms_spectrum_scratch *scratch, const ms_spectrum_input *input, ms_update_quality *out);
/* Puts it into the keys that end with _merged. */
void ms_spectrum_set_merged(const ms_update_quality *whole, ms_spectrum *spectrum);

/* The SCALAR rows of tracker/metrics.def, in their order. */
enum {
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...) MS_SPECTRUM_INDEX_##key,
#define SLOT(key, ...)
#include "tracker/metrics.def"
    MS_SPECTRUM_N_SCALARS
};
/* The name of scalar number i, e.g. "sigma_max"; NULL: there is none.  Static.  Thread-safe. */
const char *ms_spectrum_scalar_name(int i);

/* The spectrum of one matrix [rows, cols], row-major, in plain arrays: for callers in other languages.
   out_singular_values [min(rows, cols)], descending; out_scalars [MS_SPECTRUM_N_SCALARS], in the order of
   ms_spectrum_scalar_name; either may be NULL.  There is no update: what tells of one is NaN.
   MS_INVALID: a side below 1, no matrix.  Errors of ms_spectrum_scratch_create and ms_spectrum_compute.
   Thread-safe. */
ms_status ms_spectrum_of_matrix(const float *matrix, int rows, int cols, double *out_singular_values,
                                double *out_scalars);

#ifdef __cplusplus
}
#endif

#endif
