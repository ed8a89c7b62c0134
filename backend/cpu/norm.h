/* RMS norm of one row and its gradient: the parts that rms_norm, add_rms_norm and qk_norm_rope share.  Zhang & Sennrich
   2019; epsilon is inside the root.  Pure.  Needs MS_REAL. */
#ifndef MS_BACKEND_CPU_NORM_H
#define MS_BACKEND_CPU_NORM_H

#include "backend/cpu/reduce.h"
#include "backend/exact.h"

/* rsqrt(sum(x^2) (1/C) + epsilon); inverse_count = ms_reciprocal(C). */
static inline real ms_norm_rstd(const real *x, int64_t columns, real inverse_count, real epsilon) {
    return ms_rsqrt(ms_reduce_squares(x, columns) * inverse_count + epsilon);
}

/* y = (x rstd) gain; y may be x. */
static inline void ms_norm_apply(const real *x, const real *gain, real rstd, int64_t columns, real *y) {
#pragma GCC ivdep
    for (int64_t c = 0; c < columns; c++) y[c] = (x[c] * rstd) * gain[c];
}

/* Terms (dy gain) (x rstd) of the gradient's mean. */
typedef struct ms_norm_terms {
    const real *x, *gain, *dy; /* [columns] */
    real rstd;
} ms_norm_terms;

static inline real ms_norm_terms_block(const void *context, int64_t begin, int64_t n) {
    const ms_norm_terms *row = (const ms_norm_terms *)context;
    const real *x = row->x + begin, *gain = row->gain + begin, *dy = row->dy + begin;
    real terms[MS_REDUCE_BLOCK], rstd = row->rstd;
    for (int64_t i = 0; i < n; i++) terms[i] = (dy[i] * gain[i]) * (x[i] * rstd);
    return ms_block_sum(terms, n);
}

/* s = sum((dy gain) (x rstd)) (1/C);  dx = ((dy gain) - (x rstd) s) rstd, and acc + that when acc is not NULL.  dx may
   be acc or dy. */
static inline void ms_norm_grad_row(const ms_norm_terms *row, int64_t columns, real inverse_count, const real *acc,
                                    real *dx) {
    const real *x = row->x, *gain = row->gain, *dy = row->dy;
    real rstd = row->rstd, s = ms_reduce_from(ms_norm_terms_block, row, 0, columns) * inverse_count;
    if (acc) {
#pragma GCC ivdep
        for (int64_t c = 0; c < columns; c++) dx[c] = acc[c] + (dy[c] * gain[c] - (x[c] * rstd) * s) * rstd;
    } else {
#pragma GCC ivdep
        for (int64_t c = 0; c < columns; c++) dx[c] = (dy[c] * gain[c] - (x[c] * rstd) * s) * rstd;
    }
}

#endif
