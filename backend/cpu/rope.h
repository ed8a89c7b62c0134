/* Rotary embedding of one head and its inverse, for qk_norm_rope and its gradient (Su et al. 2021).  The pair (i, j) of
   x is (2k, 2k + 1) when interleaved, else (k, k + D/2); row t of the table holds cos [D/2] and sin [D/2] of the
   position's angles.  Pure.  Needs MS_REAL. */
#ifndef MS_BACKEND_CPU_ROPE_H
#define MS_BACKEND_CPU_ROPE_H

#include "backend/cpu/cpu_kernel.h"

/* y_i = x_i cos - x_j sin;  y_j = x_i sin + x_j cos; y may be x. */
static inline void ms_rope_apply(const real *x, const real *table, int64_t size, bool interleaved, real *y) {
    int64_t half = size / 2;
    const real *cosine = table, *sine = table + half;
    if (interleaved) {
#pragma GCC ivdep
        for (int64_t k = 0; k < half; k++) {
            real a = x[2 * k], b = x[2 * k + 1];
            y[2 * k] = a * cosine[k] - b * sine[k];
            y[2 * k + 1] = a * sine[k] + b * cosine[k];
        }
    } else {
#pragma GCC ivdep
        for (int64_t k = 0; k < half; k++) {
            real a = x[k], b = x[k + half];
            y[k] = a * cosine[k] - b * sine[k];
            y[k + half] = a * sine[k] + b * cosine[k];
        }
    }
}

/* The transposed rotation: dx_i = dy_i cos + dy_j sin;  dx_j = dy_j cos - dy_i sin; dx may be dy. */
static inline void ms_rope_transpose(const real *dy, const real *table, int64_t size, bool interleaved, real *dx) {
    int64_t half = size / 2;
    const real *cosine = table, *sine = table + half;
    if (interleaved) {
#pragma GCC ivdep
        for (int64_t k = 0; k < half; k++) {
            real a = dy[2 * k], b = dy[2 * k + 1];
            dx[2 * k] = a * cosine[k] + b * sine[k];
            dx[2 * k + 1] = b * cosine[k] - a * sine[k];
        }
    } else {
#pragma GCC ivdep
        for (int64_t k = 0; k < half; k++) {
            real a = dy[k], b = dy[k + half];
            dx[k] = a * cosine[k] + b * sine[k];
            dx[k + half] = b * cosine[k] - a * sine[k];
        }
    }
}

#endif
