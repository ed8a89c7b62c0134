/* Orthogonalisation of stacked matrices by Newton-Schulz iterations with odd quintic polynomials, as a graph.

   X = u / (|u|_F * 1.01 + 1e-7), then for each triple (a, b, c): A = X X^T, X = a X + (b A + c A^2) X.  The Gram matrix
   is taken on the smaller side: X^T X and X (..) for matrices with more rows than columns.  Singular vectors stay,
   singular values go towards 1. */
#ifndef MS_OPTIM_ORTHOGONALISE_H
#define MS_OPTIM_ORTHOGONALISE_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_MAX_ORTHOGONALISE_STEPS = 10 };

typedef enum ms_coefficients {
    MS_COEFFICIENTS_POLAR_EXPRESS,     /* 5 steps, Amsel et al. 2025 as shipped in modded-nanogpt and nanochat */
    MS_COEFFICIENTS_JORDAN,            /* 5 steps of (3.4445, -4.7750, 2.0315), Jordan et al. 2024 */
    MS_COEFFICIENTS_MODULA,            /* 6 steps, never exceeds 1; Newhouse et al. 2025 */
    MS_COEFFICIENTS_JORDAN_CONVERGENT, /* 8 of Jordan's, then 2 of (2, -1.5, 0.5) */
    MS_COEFFICIENTS_COUNT
} ms_coefficients;
/* Names by value; ends with NULL. */
extern const char *const ms_coefficients_names[];

typedef struct ms_coefficient_set {
    int32_t n_steps;
    double triples[MS_MAX_ORTHOGONALISE_STEPS][3];
    double highest; /* no singular value of the result exceeds it, but for rounding */
} ms_coefficient_set;

/* Static.  NULL: no such set. */
const ms_coefficient_set *ms_coefficients_get(ms_coefficients coefficients);

/* u [L,R,C] -> [L,R,C], about U V^T of each matrix.  Errors as in backend/ir/graph.h: MS_NO_TENSOR and a status in the
   graph. */
ms_tensor ms_orthogonalise(ms_graph *graph, ms_tensor u, ms_coefficients coefficients);

/* U S^p V^T in place of U V^T. */
typedef enum ms_exponent {
    MS_EXPONENT_0, /* ms_orthogonalise */
    MS_EXPONENT_QUARTER,
    MS_EXPONENT_HALF,
    MS_EXPONENT_THREE_QUARTERS,
    MS_EXPONENT_1, /* u itself, normalised */
    MS_EXPONENT_COUNT
} ms_exponent;
/* Names by value, "0", "0.25" and so on; ends with NULL. */
extern const char *const ms_exponent_names[];

/* Polynomials of five odd quintics whose weighted sum is near s^p for s from 1e-3 to 1
   (tests/golden/make_exponents.py). Unused for 0 and 1. */
typedef struct ms_exponent_set {
    double triples[5][3], weights[6]; /* weights of X before the first step and after each */
    double largest_error;             /* relative, over those s */
} ms_exponent_set;

/* Static.  NULL: no such exponent. */
const ms_exponent_set *ms_exponent_get(ms_exponent exponent);

/* u [L,R,C] -> sqrt(min(R, C)) P / |P|_F with P about U S^p V^T, S the singular values of u / |u|_F: as large as an
   orthogonal matrix, whatever p is.  With exponent 0: ms_orthogonalise with the coefficients, which the others do not
   use. Errors as in backend/ir/graph.h. */
ms_tensor ms_spectral_power(ms_graph *graph, ms_tensor u, ms_exponent exponent, ms_coefficients coefficients);

#ifdef __cplusplus
}
#endif

#endif
