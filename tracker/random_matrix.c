#include "tracker/random_matrix.h"

#include <math.h>

double ms_random_spectral_entropy(int rows, int cols) {
    double r = fmin(rows, cols), l = fmax(rows, cols);
    return r > 1 ? 1 - r / (2 * l * log(r)) : NAN;
}

double ms_random_edge(int rows, int cols) { return sqrt(rows) + sqrt(cols); }

double ms_random_stable_rank(int rows, int cols) {
    double edge = ms_random_edge(rows, cols);
    if (rows == 1 || cols == 1) return 1;
    return (double)rows * cols / (edge * edge);
}

/* Squared values over l have the density sqrt((b - x)(x - a)) / (2 pi y x) between a = (1 - sqrt y)^2 and
   b = (1 + sqrt y)^2, y = r / l.  With x = 1 + y + 2 sqrt(y) cos t that is 2 sin^2(t) / (pi x) dt over t in (0, pi):
   smooth, so that the midpoint rule converges fast. */
double ms_random_effective_rank(int rows, int cols) {
    enum { N_POINTS = 2000 };
    double r = fmin(rows, cols), y = r / fmax(rows, cols), mean = 0, weighted = 0;
    const double pi = acos(-1);
    if (r == 1) return 1;
    for (int i = 0; i < N_POINTS; i++) {
        double t = pi * (i + 0.5) / N_POINTS, x = 1 + y + 2 * sqrt(y) * cos(t), s = sqrt(x);
        double share = 2 * sin(t) * sin(t) / x / N_POINTS;
        mean += share * s;
        weighted += share * s * log(s);
    }
    /* p = s / (r mean): the entropy is ln r + ln mean - (mean of s ln s) / mean. */
    return r * mean * exp(-weighted / mean);
}
