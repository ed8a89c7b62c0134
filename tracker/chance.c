#include "tracker/chance.h"

#include <math.h>

/* One simulated dimension. */
typedef struct row {
    double dimension, mean, p95;
} row;

static const row rows[] = {
#define ROW(dimension, mean, p95) {dimension, mean, p95},
#include "tracker/chance.def"
#undef ROW
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static double scaled(const row *at, int want_p95) { return (want_p95 ? at->p95 : at->mean) * sqrt(at->dimension); }

static double interpolate(int dimension, int want_p95) {
    if (dimension <= (int)rows[0].dimension) return 1;
    int above = 1;
    while (above + 1 < N_ROWS && rows[above].dimension < dimension) above++;
    const row *low = &rows[above - 1], *high = &rows[above];
    double x = 1.0 / dimension, x0 = 1 / low->dimension, x1 = 1 / high->dimension;
    double share = x <= x1 ? 1 : (x0 - x) / (x0 - x1);
    return ((1 - share) * scaled(low, want_p95) + share * scaled(high, want_p95)) / sqrt(dimension);
}

double ms_alignment_random(int dimension) { return interpolate(dimension, 0); }
double ms_alignment_random_p95(int dimension) { return interpolate(dimension, 1); }
