#include "tracker/null.h"

#include <math.h>

static const double orders[MS_NULL_ORDERS] = {1, 3, 9};

/* Lengths of the chains of correlated steps: the power of the momentum's correlation between neighbours.  Fitted once
   to 64 x 64 and 192 x 64 under momentum 0, 0.9 and 0.95, with and without decay. */
#define CHAIN_POWER 1.5

/* --- the steps --- */

void ms_null_advance(ms_null_state *state, const ms_null_step *step) {
    double b = step->momentum, kept = step->kept, rate = step->rate;
    /* m' = b m + (1-b) g; u = (1-b) g + b m' = (1-b)(1+b) g + b^2 m, or m'.  All in units of (1-b)^2. */
    double old = state->momentum_variance, now = b * b * old + 1;
    double seen = step->nesterov ? b * b : b; /* factor of the old buffer in u */
    double fresh = step->nesterov ? 1 + b : 1;
    double u_deviation = sqrt(fresh * fresh + seen * seen * old);
    double u_with_now = (fresh + seen * b * old) / u_deviation; /* covariance of u / |u| and m' */
    double u_with_old = seen / u_deviation;                     /* what it keeps of a covariance with m */
    for (int k = 0; k < MS_NULL_ORDERS; k++) {
        double cross = pow(u_with_old, orders[k]) * state->covariance[k];
        state->variance[k] = kept * kept * state->variance[k] + 2 * kept * rate * cross + rate * rate;
        state->covariance[k] = kept * pow(b, orders[k]) * state->covariance[k] + rate * pow(u_with_now, orders[k]);
    }
    /* Sums of w_1 .. w_j rho_12 rho_23 .. over steps in order: each multiset of 4 steps as often as it has orders. */
    double closes = pow(u_with_old * sqrt(old), CHAIN_POWER), opens = pow(u_with_now / sqrt(now), CHAIN_POWER);
    double runs = pow(b * sqrt(old / now), CHAIN_POWER), *chain = state->chain;
    double k1 = kept * chain[0], k2 = kept * kept * chain[1], k3 = kept * kept * kept * chain[2];
    double r2 = rate * rate, r3 = r2 * rate, k4 = kept * kept * kept * kept * chain[3];
    chain[3] = k4 + 4 * rate * closes * k3 + 6 * r2 * closes * k2 + 4 * r3 * closes * k1 + r2 * r2;
    chain[2] = runs * k3 + opens * (3 * rate * closes * k2 + 3 * r2 * closes * k1 + r3);
    chain[1] = runs * k2 + opens * (2 * rate * closes * k1 + r2);
    chain[0] = runs * k1 + opens * rate;
    state->momentum_variance = now;
    state->steps++;
}

/* --- the matrix --- */

/* Mean of s1 of a Gaussian m x n: sqrt of mu - 1.2065 sigma, Johnstone 2001 with the half of Ma 2012; 1.2065 is the
   mean of the Tracy-Widom law of order 1.  Below 2 the law does not hold: the norm of a vector does. */
static double gaussian_edge(int rows, int cols) {
    if (rows == 1 || cols == 1) return sqrt((double)rows * cols);
    double m = sqrt(rows - 0.5), n = sqrt(cols - 0.5), sum = m + n;
    return sqrt(sum * sum - 1.2065335745820 * sum * cbrt(1 / m + 1 / n));
}

/* Share of the third order in what is not linear, by aspect ratio: simulated, the mean over the coefficient sets, which
   differ by up to 0.15.  An error of 0.1 is 0.3 % of s1 at most. */
static double third_order(double aspect) {
    static const double table[][2] = {{1, 0.36}, {1.25, 0.57}, {1.5, 0.67}, {2, 0.76}, {3, 0.78}};
    enum { N = sizeof table / sizeof *table };
    if (aspect >= table[N - 1][0]) return table[N - 1][1];
    int i = 1;
    while (aspect >= table[i][0]) i++;
    double t = log(aspect / table[i - 1][0]) / log(table[i][0] / table[i - 1][0]);
    return table[i - 1][1] + t * (table[i][1] - table[i - 1][1]);
}

/* Over the Marchenko-Pastur density of singular values x of u / (1.01 |u|), p the polynomials: mean of p^2, and the
   squared cosine (mean of x p)^2 / (mean of x^2, mean of p^2).  The substitution lambda = 1 + y + 2 sqrt(y) cos(angle)
   makes the density 2 sin^2(angle) / (pi lambda), smooth at both edges. */
static void moments(const ms_null_matrix *matrix, double *out_mean_square, double *out_linear) {
    enum { N = 1024 };
    int smaller = matrix->whole_rows < matrix->whole_cols ? matrix->whole_rows : matrix->whole_cols;
    int longer = matrix->whole_rows < matrix->whole_cols ? matrix->whole_cols : matrix->whole_rows;
    double y = (double)smaller / longer, pp = 0, xp = 0, xx = 0;
    for (int i = 0; i < N; i++) {
        double angle = (i + 0.5) * (3.14159265358979323846 / N);
        double lambda = 1 + y + 2 * sqrt(y) * cos(angle), weight = 2 * sin(angle) * sin(angle) / (N * lambda);
        double x = fmin(1, sqrt(lambda / smaller)) / 1.01, p = x; /* below 4 rows the density goes on beyond |u| */
        for (int j = 0; j < matrix->n_steps; j++) {
            const double *triple = matrix->triples[j];
            p *= triple[0] + p * p * (triple[1] + p * p * triple[2]);
        }
        pp += weight * p * p;
        xp += weight * x * p;
        xx += weight * x * x;
    }
    *out_mean_square = pp;
    *out_linear = xp * xp / (xx * pp);
}

/* s1 of some of the rows of an orthogonal matrix (rows or columns orthonormal): the edge of a truncated random one
   (Collins 2005; free compression of projections). */
static double truncated_edge(const ms_null_matrix *matrix) {
    if (matrix->whole_rows <= matrix->whole_cols || matrix->rows >= matrix->whole_rows) return 1;
    double kept = (double)matrix->rows / matrix->whole_rows, rank = (double)matrix->whole_cols / matrix->whole_rows;
    if (kept + rank >= 1) return 1;
    return sqrt(rank * (1 - kept)) + sqrt(kept * (1 - rank));
}

ms_status ms_null_shape_init(const ms_null_matrix *matrix, ms_null_shape *out) {
    *out = (ms_null_shape){0};
    if (matrix->rows < 1 || matrix->cols < 1 || matrix->whole_rows < 1 || matrix->n_steps < 1 || !matrix->triples)
        return MS_FAIL(MS_INVALID, "noise null: a slice [%d, %d] of [%d, %d] with %d polynomials", matrix->rows,
                       matrix->cols, matrix->whole_rows, matrix->whole_cols, matrix->n_steps);
    bool pieces = matrix->rows > matrix->whole_rows;
    if (matrix->cols != matrix->whole_cols || (pieces && matrix->rows % matrix->whole_rows != 0))
        return MS_FAIL(MS_INVALID, "noise null: [%d, %d] is no slice of rows of [%d, %d], nor made of such pieces",
                       matrix->rows, matrix->cols, matrix->whole_rows, matrix->whole_cols);
    double mean_square, linear, aspect = (double)matrix->whole_rows / matrix->whole_cols;
    if (aspect < 1) aspect = 1 / aspect;
    moments(matrix, &mean_square, &linear);
    int longer = matrix->whole_rows > matrix->whole_cols ? matrix->whole_rows : matrix->whole_cols;
    double third = third_order(aspect), entry = sqrt(mean_square / longer);
    out->entry = entry * matrix->scale;
    out->shares[0] = linear;
    out->shares[1] = (1 - linear) * third;
    out->shares[2] = (1 - linear) * (1 - third);
    out->edge = gaussian_edge(matrix->rows, matrix->cols);
    int piece_rows = pieces ? matrix->whole_rows : matrix->rows;
    out->first =
        fmin(1, truncated_edge(matrix) * sqrt(mean_square) / (gaussian_edge(piece_rows, matrix->cols) * entry));
    out->pieces = pieces ? (double)matrix->rows / matrix->whole_rows : 1;
    return MS_OK;
}

double ms_null_sigma(const ms_null_state *state, const ms_null_shape *shape) {
    double variance = 0;
    for (int k = 0; k < MS_NULL_ORDERS; k++) variance += shape->shares[k] * state->variance[k];
    if (!(variance > 0)) return 0;
    double few = state->chain[MS_NULL_CHAIN - 1] / (variance * variance) * (1 + 2 * (shape->shares[0] - 0.8));
    few = fmin(1, few) / shape->pieces;
    return shape->edge * shape->entry * sqrt(variance) * (1 - (1 - shape->first) * few);
}
