/* The reduction rule of `exact` numerics: the one order in which every sum of an op is formed.

   A block of at most MS_REDUCE_BLOCK (4096) terms is summed in MS_LANES (32) lanes: lane l starts from term l and adds
   terms l + 32, l + 64, ... ascending.  Then a halving tree: for h = 16, 8, 4, 2, 1 lane i < h adds lane i + h when
   lane i + h has a term; a block of n < 32 terms has lanes 0 to n - 1 only.  Nothing starts from a literal zero, so
   that -0 survives (design: signed zero). More than 4096 terms: the sums of blocks of 4096 (the last may be shorter)
   are terms in turn, reduced by the same rule, and so on.  One term is its own sum.

   Lanes are SIMD lanes here; threads share blocks or rows or lanes, never the terms of one lane.  Pure functions.
   Included by kernels only (needs MS_REAL). */
#ifndef MS_BACKEND_CPU_REDUCE_H
#define MS_BACKEND_CPU_REDUCE_H

#include <string.h>

#include "backend/cpu/cpu_kernel.h"
#include "backend/exact_constants.h"

/* 64 bytes of reals at any address. */
typedef real ms_vector __attribute__((vector_size(64), aligned(sizeof(real)), may_alias));
enum { MS_VECTOR_SIZE = 64 / (int)sizeof(real), MS_LANE_VECTORS = MS_LANES / MS_VECTOR_SIZE };

static inline int64_t ms_block_count(int64_t n) { return (n + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK; }

/* The halving tree over the lanes of a block of n >= 1 terms; overwrites lane. */
static inline real ms_lane_tree(real *lane, int64_t n) {
    if (n >= MS_LANES) {
        for (int h = MS_LANES / 2; h > 0; h /= 2)
            for (int i = 0; i < h; i++) lane[i] = lane[i] + lane[i + h];
        return lane[0];
    }
    for (int64_t h = MS_LANES / 2; h > 0; h /= 2) {
        for (int64_t i = 0; i < h && i + h < n; i++) lane[i] = lane[i] + lane[i + h];
        if (n > h) n = h;
    }
    return lane[0];
}

/* One block of 1 <= n <= 4096 terms a[i], or a[i] * b[i] when `product` (then b may be a). */
__attribute__((always_inline)) static inline real ms_block_terms(const real *a, const real *b, int64_t n,
                                                                 bool product) {
    real lane[MS_LANES];
    int64_t i = 0;
    if (n >= MS_LANES) {
        ms_vector sum[MS_LANE_VECTORS];
        for (int v = 0; v < MS_LANE_VECTORS; v++) {
            sum[v] = *(const ms_vector *)(a + v * MS_VECTOR_SIZE);
            if (product) sum[v] = sum[v] * *(const ms_vector *)(b + v * MS_VECTOR_SIZE);
        }
        for (i = MS_LANES; i + MS_LANES <= n; i += MS_LANES)
            for (int v = 0; v < MS_LANE_VECTORS; v++) {
                ms_vector term = *(const ms_vector *)(a + i + v * MS_VECTOR_SIZE);
                if (product) term = term * *(const ms_vector *)(b + i + v * MS_VECTOR_SIZE);
                sum[v] = sum[v] + term;
            }
        memcpy(lane, sum, sizeof lane);
        for (int64_t l = 0; i < n; i++, l++) lane[l] = lane[l] + (product ? a[i] * b[i] : a[i]);
    } else {
        for (; i < n; i++) lane[i] = product ? a[i] * b[i] : a[i];
    }
    return ms_lane_tree(lane, n);
}

static inline real ms_block_sum(const real *x, int64_t n) { return ms_block_terms(x, x, n, false); }
static inline real ms_block_dot(const real *a, const real *b, int64_t n) { return ms_block_terms(a, b, n, true); }

/* Sum of the block of terms [begin, begin + n), n <= 4096. */
typedef real (*ms_block_function)(const void *context, int64_t begin, int64_t n);

/* Sum of n >= 1 terms whose blocks `block` sums, called in ascending order. */
static inline real ms_reduce_from(ms_block_function block, const void *context, int64_t begin, int64_t n) {
    if (n <= MS_REDUCE_BLOCK) return block(context, begin, n);
    int64_t part = MS_REDUCE_BLOCK; /* terms below one term of the last level */
    while (n > part * MS_REDUCE_BLOCK) part *= MS_REDUCE_BLOCK;
    real lane[MS_LANES];
    int64_t n_parts = 0;
    for (int64_t i = 0; i < n; i += part, n_parts++) {
        real sum = ms_reduce_from(block, context, begin + i, n - i < part ? n - i : part);
        real *target = &lane[n_parts % MS_LANES];
        *target = n_parts < MS_LANES ? sum : *target + sum;
    }
    return ms_lane_tree(lane, n_parts);
}

static inline real ms_reduce_sum_block(const void *context, int64_t begin, int64_t n) {
    return ms_block_sum((const real *)context + begin, n);
}

static inline real ms_reduce_square_block(const void *context, int64_t begin, int64_t n) {
    return ms_block_dot((const real *)context + begin, (const real *)context + begin, n);
}

/* Sum, and sum of squares, of n >= 1 numbers. */
static inline real ms_reduce_sum(const real *x, int64_t n) { return ms_reduce_from(ms_reduce_sum_block, x, 0, n); }
static inline real ms_reduce_squares(const real *x, int64_t n) {
    return ms_reduce_from(ms_reduce_square_block, x, 0, n);
}

/* ---- sums over rows: the terms are rows of `columns` numbers, added elementwise ---- */

static inline void ms_row_add(real *sum, const real *row, int64_t columns) {
#pragma GCC ivdep
    for (int64_t c = 0; c < columns; c++) sum[c] = sum[c] + row[c];
}

/* The tree over lanes that are rows `stride` numbers apart; the sum is left in the first. */
static inline void ms_row_tree(real *lanes, int64_t n, int64_t stride, int64_t columns) {
    if (n > MS_LANES) n = MS_LANES;
    for (int64_t h = MS_LANES / 2; h > 0; h /= 2) {
        for (int64_t i = 0; i < h && i + h < n; i++) ms_row_add(lanes + i * stride, lanes + (i + h) * stride, columns);
        if (n > h) n = h;
    }
}

/* Reduces n rows, `stride` numbers apart, in place; the sum is left in the first. */
static inline void ms_reduce_rows(real *rows, int64_t n, int64_t stride, int64_t columns) {
    for (; n > 1; n = ms_block_count(n), stride *= MS_REDUCE_BLOCK)
        for (int64_t begin = 0; begin < n; begin += MS_REDUCE_BLOCK) {
            real *block = rows + begin * stride;
            int64_t count = n - begin;
            if (count > MS_REDUCE_BLOCK) count = MS_REDUCE_BLOCK;
            for (int64_t i = MS_LANES; i < count; i++)
                ms_row_add(block + i % MS_LANES * stride, block + i * stride, columns);
            ms_row_tree(block, count, stride, columns);
        }
}

/* The parallel form, for rows that need not be stored: MS_LANE_GROUPS tasks a block, each filling some lanes of
   lanes [blocks, 32, columns]; then ms_reduce_lanes finishes.  Task i takes rows from ms_lane_rows(i, n_rows). */
enum { MS_LANE_GROUPS = 8, MS_GROUP_LANES = MS_LANES / MS_LANE_GROUPS };

typedef struct ms_lane_range {
    int64_t begin, end;  /* rows of the block */
    int first_lane;      /* lanes first_lane .. first_lane + MS_GROUP_LANES - 1 of the block */
    int64_t lane_offset; /* of the block's lane 0 in lanes, in rows */
} ms_lane_range;

static inline ms_lane_range ms_lane_rows(int64_t i_task, int64_t n_rows) {
    int64_t block = i_task / MS_LANE_GROUPS, begin = block * MS_REDUCE_BLOCK;
    int64_t end = n_rows - begin < MS_REDUCE_BLOCK ? n_rows : begin + MS_REDUCE_BLOCK;
    ms_lane_range range = {begin, end, (int)(i_task % MS_LANE_GROUPS) * MS_GROUP_LANES, block * MS_LANES};
    return range;
}

static inline size_t ms_lanes_bytes(int64_t n_rows, int64_t columns) {
    return (size_t)(ms_block_count(n_rows) * MS_LANES * columns) * sizeof(real);
}

/* out [columns] = the sum whose lanes the tasks have filled; overwrites lanes. */
static inline void ms_reduce_lanes(real *lanes, int64_t n_rows, int64_t columns, real *out) {
    int64_t n_blocks = ms_block_count(n_rows), stride = MS_LANES * columns;
    for (int64_t b = 0; b < n_blocks; b++)
        ms_row_tree(lanes + b * stride, n_rows - b * MS_REDUCE_BLOCK, columns, columns);
    ms_reduce_rows(lanes, n_blocks, stride, columns);
    memcpy(out, lanes, (size_t)columns * sizeof(real));
}

#endif
