/* Eigenvalues of a symmetric tridiagonal matrix at chosen places, by bisection on Sturm counts (Givens 1954; Barth,
   Martin & Wilkinson 1967), all places side by side: where a few are wanted it is faster than DSTERF, which finds all,
   and than DSTEBZ, which finds one after the other. */
#ifndef MS_TRACKER_BISECTION_H
#define MS_TRACKER_BISECTION_H

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_BISECTION_PLACES = 20 };

/* diagonal [n], squares [n - 1] of the off-diagonal, all finite, n >= 1.  places: n_places numbers in [0, n), at most
   MS_BISECTION_PLACES, counted from the largest eigenvalue.  out [n_places]: each good to 2^-52 of the largest row sum.
   Thread-safe. */
void ms_bisect(const double *diagonal, const double *squares, int n, const int *places, int n_places, double *out);

#ifdef __cplusplus
}
#endif

#endif
