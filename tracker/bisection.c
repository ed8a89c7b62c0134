#include "tracker/bisection.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { PLACES = MS_BISECTION_PLACES, MOST_PASSES = 60 };

/* How many eigenvalues lie below each shift.  The shifts are independent: their divisions, which take longest, overlap,
   and all PLACES take little longer than one. */
static void count_below(const double *diagonal, const double *squares, int n, double least_pivot,
                        const double shifts[PLACES], double out[PLACES]) {
    double pivots[PLACES], below[PLACES];
    for (int k = 0; k < PLACES; k++) {
        pivots[k] = 1;
        below[k] = 0;
    }
    for (int i = 0; i < n; i++) {
        double square = i > 0 ? squares[i - 1] : 0;
        for (int k = 0; k < PLACES; k++) {
            double pivot = (diagonal[i] - shifts[k]) - square / pivots[k];
            pivot = fabs(pivot) <= least_pivot ? -least_pivot : pivot;
            below[k] += pivot < 0 ? 1 : 0;
            pivots[k] = pivot;
        }
    }
    for (int k = 0; k < PLACES; k++) out[k] = below[k];
}

/* An interval that holds all eigenvalues (Gershgorin); returns the largest row sum. */
static double find_bounds(const double *diagonal, const double *squares, int n, double *out_low, double *out_high) {
    *out_low = INFINITY;
    *out_high = -INFINITY;
    for (int i = 0; i < n; i++) {
        double radius = (i > 0 ? sqrt(squares[i - 1]) : 0) + (i + 1 < n ? sqrt(squares[i]) : 0);
        *out_low = fmin(*out_low, diagonal[i] - radius);
        *out_high = fmax(*out_high, diagonal[i] + radius);
    }
    double largest = fmax(fabs(*out_low), fabs(*out_high));
    *out_low -= largest * n * DBL_EPSILON; /* counts are those of a matrix a little off */
    *out_high += largest * n * DBL_EPSILON;
    return largest;
}

void ms_bisect(const double *diagonal, const double *squares, int n, const int *places, int n_places, double *out) {
    double low[PLACES], high[PLACES], shifts[PLACES], counts[PLACES], least, most, largest_square = 1;
    double largest = find_bounds(diagonal, squares, n, &least, &most);
    for (int i = 0; i + 1 < n; i++) largest_square = fmax(largest_square, squares[i]);
    for (int k = 0; k < PLACES; k++) {
        low[k] = least;
        high[k] = most;
    }
    for (int pass = 0; pass < MOST_PASSES && high[0] - low[0] > DBL_EPSILON * largest; pass++) { /* all are as wide */
        for (int k = 0; k < PLACES; k++) shifts[k] = low[k] + (high[k] - low[k]) / 2;
        count_below(diagonal, squares, n, DBL_MIN * largest_square, shifts, counts);
        for (int k = 0; k < n_places; k++) {
            bool is_below = counts[k] >= n - places[k]; /* the place's value and all under it */
            *(is_below ? &high[k] : &low[k]) = shifts[k];
        }
    }
    for (int k = 0; k < n_places; k++) out[k] = low[k] + (high[k] - low[k]) / 2;
}
