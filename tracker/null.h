/* The noise null: the largest singular value that Gaussian noise alone gives a weight matrix under Muon, from W = 0.  A
   matrix that stays near it has not been shown to learn a direction.

   Gradients of independent N(0, 1) go through momentum (start at zero included) and orthogonalisation; the updates
   W = kept W - lr scale O add up.  Three factors give s1 of a slice of rows x cols:

   - The variance of an entry.  O of a Gaussian u has the mean square q of the polynomial over the Marchenko-Pastur
     density (Marchenko & Pastur 1967), per entry q / max(R, C) for an orthogonalised R x C.  Two O whose u correlate by
     rho correlate by a1 rho + a3 rho^3 + a9 rho^9 (an expansion in Hermite polynomials, of which only odd orders are
     there): a1 is the squared cosine between O and u, by the same density, a3 is tabulated by aspect ratio.  The sum of
     lr_s lr_t kept^... corr(s, t) over all pairs of steps is carried along exactly, for any course of the rates.
     With rates and momentum b that are constant, no Nesterov and O = u it is
     lr^2 (T (1+b)/(1-b) - 2b (1 - b^T)/(1-b)^2), and with decay in the end lr^2 (1+ba)/(1-ba) / (1 - a^2), a = kept.
   - The edge of a Gaussian rows x cols, about sqrt(rows) + sqrt(cols), with the mean of the Tracy-Widom law for finite
     sizes (Johnstone 2001).
   - Few independent updates are no Gaussian matrix: one O alone has s1 near 1.  The deficit falls with their number.

   Against simulation (tests/tracker/null_simulated.def): within 3 % from about 100 steps at momentum 0.95, within 20 %
   before.  Where s1 is that of one run, it scatters by about 2 % at 128 x 128. */
#ifndef MS_TRACKER_NULL_H
#define MS_TRACKER_NULL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_NULL_ORDERS = 3, MS_NULL_CHAIN = 4 };

/* The rates so far: the same for every matrix of an optimizer.  All zero: before the first step.  Plain numbers, for a
   checkpoint to keep. */
typedef struct ms_null_state {
    int64_t steps;
    double momentum_variance;          /* of an entry of the momentum buffer, in (1 - momentum)^2 */
    double variance[MS_NULL_ORDERS];   /* of an entry of W where O has variance 1, by order of the correlation */
    double covariance[MS_NULL_ORDERS]; /* of W and the buffer, the same way */
    double chain[MS_NULL_CHAIN]; /* sums over 1 to 4 steps of rates and their correlation: how few updates count */
} ms_null_state;

/* What one update does: W = kept W - rate O'. */
typedef struct ms_null_step {
    double rate;     /* >= 0, without the scale of the matrix */
    double kept;     /* 1 - lr decay, or 1 */
    double momentum; /* in [0, 1) */
    bool nesterov;
} ms_null_step;

/* Adds a step.  Exact: a state that was stored and read goes on with the same bits. */
void ms_null_advance(ms_null_state *state, const ms_null_step *step);

/* A slice and how it is orthogonalised. */
typedef struct ms_null_matrix {
    int rows, cols;             /* of the slice whose s1 is asked for, >= 1 */
    int whole_rows, whole_cols; /* of the matrix that is orthogonalised: holds the slice, or is one of several equal
                                   pieces (heads) of it */
    double scale;               /* of O */
    int n_steps;                /* of the orthogonalisation, >= 1 */
    const double (*triples)[3]; /* its polynomials; see optim/orthogonalise.h */
} ms_null_matrix;

/* What a matrix brings, worked out once. */
typedef struct ms_null_shape {
    double entry;                  /* standard deviation of an entry of scale O */
    double shares[MS_NULL_ORDERS]; /* of the orders 1, 3 and 9 in the correlation; their sum is 1 */
    double edge;                   /* s1 of a Gaussian matrix of the slice's shape with entries of variance 1 */
    double first;                  /* s1 of one update over that of a Gaussian matrix of the same entries, at most 1 */
    double pieces;                 /* independent matrices in the slice, >= 1 */
} ms_null_shape;

/* MS_INVALID: a side below 1, no polynomials, or a slice that neither lies in the whole nor consists of it.
   Thread-safe. */
ms_status ms_null_shape_init(const ms_null_matrix *matrix, ms_null_shape *out);

/* The expected s1 after the steps of the state; 0 before the first.  Thread-safe. */
double ms_null_sigma(const ms_null_state *state, const ms_null_shape *shape);

#ifdef __cplusplus
}
#endif

#endif
