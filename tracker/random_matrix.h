/* What the metrics of a matrix [rows, cols] are by chance: of one whose elements are independent, of mean 0 and one
   standard deviation.  Limits for large matrices (Marchenko & Pastur 1967); tests/tracker/random_matrix.c says how near
   small ones come.  Let r be the smaller side, l the longer one.  All functions are thread-safe. */
#ifndef MS_TRACKER_RANDOM_MATRIX_H
#define MS_TRACKER_RANDOM_MATRIX_H

#ifdef __cplusplus
extern "C" {
#endif

/* 1 - r / (2 l ln r): of `spectral_entropy`.  NaN for r = 1, where it is not defined. */
double ms_random_spectral_entropy(int rows, int cols);

/* rows cols / (sqrt rows + sqrt cols)^2: of `stable_rank`; 1 for r = 1, where it cannot be anything else. */
double ms_random_stable_rank(int rows, int cols);

/* sqrt rows + sqrt cols: of `sigma_max`, in standard deviations.  A larger value is a spike: something that is not
   noise.  About one random matrix in six has a value above it by a little (Tracy & Widom 1996). */
double ms_random_edge(int rows, int cols);

/* Of `effective_rank`: r times exp of the entropy of sqrt(x) under the Marchenko-Pastur law, by quadrature.
   `entropy_l1` is its logarithm over ln r. */
double ms_random_effective_rank(int rows, int cols);

#ifdef __cplusplus
}
#endif

#endif
