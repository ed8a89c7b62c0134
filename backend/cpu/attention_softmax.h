/* The softmax of one query's scores, for attention and cached_attention.  Pure.  Needs MS_REAL. */
#ifndef MS_BACKEND_CPU_ATTENTION_SOFTMAX_H
#define MS_BACKEND_CPU_ATTENTION_SOFTMAX_H

#include "backend/cpu/reduce.h"
#include "backend/cpu/tile.h"
#include "backend/exact.h"

/* Turns n scores into exp(s - m) and returns their sum.  The row has whole panels, so the loops have no remainder: what
   lies past n is overwritten first and never summed. */
static inline real attention_softmax_row(real *row, int64_t n, real *out_max) {
    int64_t n_all = ms_round_up64(n, TILE_COLUMNS);
    for (int64_t j = n; j < n_all; j++) row[j] = row[0];
    real best[TILE_COLUMNS];
    memcpy(best, row, sizeof best);
    for (int64_t j = TILE_COLUMNS; j < n_all; j += TILE_COLUMNS)
        for (int l = 0; l < TILE_COLUMNS; l++) best[l] = row[j + l] > best[l] ? row[j + l] : best[l];
    for (int h = TILE_COLUMNS / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++) best[l] = best[l + h] > best[l] ? best[l + h] : best[l];
    real max = best[0];
    for (int64_t j = 0; j < n_all; j += TILE_COLUMNS)
        for (int l = 0; l < TILE_COLUMNS; l++) row[j + l] = ms_exp(row[j + l] - max);
    *out_max = max;
    return ms_reduce_sum(row, n);
}

#endif
