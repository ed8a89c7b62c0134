/* Register tiles of attention: ATTENTION_ROWS rows of sums by TILE_COLUMNS columns.  Inlined with constant steps;
   `fast` and `exact` are the same text, compiled with and without contraction to FMA.

   Row tiles begin at multiples of ATTENTION_ROWS, which divides MS_DEPTH_CHUNK: the ragged edge of the causal mask
   inside a tile therefore never crosses a chunk. */
#ifndef MS_BACKEND_CPU_ATTENTION_TILE_H
#define MS_BACKEND_CPU_ATTENTION_TILE_H

#include "backend/cpu/tile.h"

#if MS_VECTOR_BYTES == 64
#define ATTENTION_ROWS 8
#else
#define ATTENTION_ROWS 4
#endif

/* Factor (row, k) of a tile is at data[row * row_step + k * depth_step]. */
typedef struct attention_rows {
    const real *data;
    int64_t row_step, depth_step;
} attention_rows;

/* TILE_COLUMNS factors of term k are at data + k * step. */
typedef struct attention_columns {
    const real *data;
    int64_t step;
} attention_columns;

typedef vec attention_sums[ATTENTION_ROWS][2];

/* Rows [first, end) of a tile; those from `start` on begin their sums. */
typedef struct attention_steps {
    int first, end, start;
} attention_steps;

#define ATTENTION_INLINE static inline __attribute__((always_inline))

/* sum[r] += a(r, k) * b(k). */
ATTENTION_INLINE void attention_step(attention_sums sum, attention_rows a, attention_columns b, int64_t k,
                                     const attention_steps rows) {
    const real *factors = b.data + k * b.step;
    vec b0 = vec_load(factors), b1 = vec_load(factors + LANES);
    for (int r = rows.first; r < rows.end; r++) {
        real factor = a.data[r * a.row_step + k * a.depth_step];
        sum[r][0] = r < rows.start ? sum[r][0] + factor * b0 : factor * b0;
        sum[r][1] = r < rows.start ? sum[r][1] + factor * b1 : factor * b1;
    }
}

/* Terms [k, k_end) of all rows.  Sums start from the first term when `start`. */
ATTENTION_INLINE void attention_terms(attention_sums sum, attention_rows a, attention_columns b, int64_t k,
                                      int64_t k_end, bool start) {
    if (start) {
        attention_step(sum, a, b, k, (attention_steps){0, ATTENTION_ROWS, 0});
        k++;
    }
    for (; k < k_end; k++) attention_step(sum, a, b, k, (attention_steps){0, ATTENTION_ROWS, ATTENTION_ROWS});
}

/* Rows end raggedly: row r takes the terms k + 1 .. k + r only (those below k_end). */
ATTENTION_INLINE void attention_ragged_end(attention_sums sum, attention_rows a, attention_columns b, int64_t k,
                                           int64_t k_end) {
    for (int t = 1; t < ATTENTION_ROWS; t++) {
        if (k + t >= k_end) return;
        attention_step(sum, a, b, k + t, (attention_steps){t, ATTENTION_ROWS, ATTENTION_ROWS});
    }
}

/* Rows begin raggedly: row r begins its sum with term k + r.  Terms k .. k + ATTENTION_ROWS - 1, those below k_end;
   rows that never begin are 0 and belong to nobody. */
ATTENTION_INLINE void attention_ragged_begin(attention_sums sum, attention_rows a, attention_columns b, int64_t k,
                                             int64_t k_end) {
    for (int r = 0; r < ATTENTION_ROWS; r++) sum[r][0] = sum[r][1] = (vec){0};
    for (int t = 0; t < ATTENTION_ROWS; t++) {
        if (k + t >= k_end) return;
        attention_step(sum, a, b, k + t, (attention_steps){0, t + 1, t});
    }
}

ATTENTION_INLINE void attention_load(attention_sums sum, const real *in, int64_t stride) {
    for (int r = 0; r < ATTENTION_ROWS; r++) {
        sum[r][0] = vec_load(in + r * stride);
        sum[r][1] = vec_load(in + r * stride + LANES);
    }
}

ATTENTION_INLINE void attention_store(attention_sums sum, real *out, int64_t stride) {
    for (int r = 0; r < ATTENTION_ROWS; r++) {
        vec_store(out + r * stride, sum[r][0]);
        vec_store(out + r * stride + LANES, sum[r][1]);
    }
}

/* out = sum, or out + sum when `add`. */
ATTENTION_INLINE void attention_accumulate(attention_sums sum, real *out, int64_t stride, bool add) {
    for (int r = 0; r < ATTENTION_ROWS; r++)
        for (int half = 0; half < 2; half++) {
            real *to = out + r * stride + half * LANES;
            vec_store(to, add ? vec_load(to) + sum[r][half] : sum[r][half]);
        }
}

/* The next `count` reals of a scratch at `base`, vector-aligned; NULL where only the size is wanted. */
static inline real *attention_take(real *base, int64_t *at, int64_t count) {
    real *part = base ? base + *at : NULL;
    *at += ms_round_up64(count, LANES);
    return part;
}

/* One head of a [n_rows, heads * D] tensor: row i at data + i * stride. */
typedef struct attention_head {
    const real *data;
    int64_t stride;
} attention_head;

/* Copies rows [0, n_rows) to out [rounded up to TILE_COLUMNS rows][padded], zeros elsewhere: wide tiles read whole
   vectors. */
static inline void attention_copy_rows(attention_head head, int64_t n_rows, int64_t head_size, int64_t padded,
                                       real *out) {
    int64_t n_all = ms_round_up64(n_rows, TILE_COLUMNS);
    for (int64_t i = 0; i < n_all; i++, out += padded) {
        int64_t n = i < n_rows ? head_size : 0;
        memcpy(out, head.data + i * head.stride, (size_t)n * sizeof(real));
        memset(out + n, 0, (size_t)(padded - n) * sizeof(real));
    }
}

/* Rows [row, row + n_rows) as panels [ceil(n_rows / width)][D][width]. */
static inline void attention_pack(attention_head head, int64_t row, int64_t n_rows, int64_t head_size, int64_t width,
                                  real *out) {
    ms_tile_operand operand = {head.data, head.stride, false};
    ms_tile_panels panels = {row, n_rows, 0, head_size, width};
    MS_KERNEL(tile_pack)(&operand, &panels, out);
}

#endif
