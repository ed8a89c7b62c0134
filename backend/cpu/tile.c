#include "backend/cpu/tile.h"

#if MS_VECTOR_BYTES == 64 && !defined(MS_REAL_IS_DOUBLE)
#define HAVE_TRANSPOSE 1
typedef int32_t lane_index __attribute__((vector_size(MS_VECTOR_BYTES)));

/* One stage of a 16 x 16 transpose: exchanges the off-diagonal squares of side h. */
static inline __attribute__((always_inline)) void transpose_stage(vec rows[LANES], int h) {
    lane_index low, high;
    for (int l = 0; l < LANES; l++) {
        low[l] = l & h ? LANES + l - h : l;
        high[l] = l & h ? LANES + l : l + h;
    }
    for (int i = 0; i < LANES; i++) {
        if (i & h) continue;
        vec a = rows[i], b = rows[i + h];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i + h] = __builtin_shuffle(a, b, high);
    }
}

/* LANES consecutive depths of `n` <= LANES rows into out[k * width + row]: overlapping stores, ascending, so that the
   next depth overwrites the lanes past `width`. */
static inline __attribute__((always_inline)) void pack_square(const real *data, int64_t stride, int64_t n,
                                                              int64_t width, real *out) {
    vec rows[LANES];
    for (int r = 0; r < LANES; r++) rows[r] = r < n ? vec_load(data + r * stride) : (vec){0};
    transpose_stage(rows, 8);
    transpose_stage(rows, 4);
    transpose_stage(rows, 2);
    transpose_stage(rows, 1);
    for (int k = 0; k < LANES; k++) vec_store(out + k * width, rows[k]);
}
#endif

/* One panel of rows contiguous along the depth: a transpose. */
static void pack_rows(const ms_tile_operand *operand, const ms_tile_panels *panel, real *out) {
    const real *data = operand->data + panel->row * operand->stride + panel->k;
    int64_t stride = operand->stride, n = panel->n_rows, n_depth = panel->n_depth, width = panel->width, d = 0;
#ifdef HAVE_TRANSPOSE
    for (; d + LANES <= n_depth; d += LANES) {
        if (width <= LANES) {
            pack_square(data + d, stride, n, width, out + d * width);
        } else {
            for (int64_t part = 0; part < width; part += LANES)
                pack_square(data + ms_min64(part, n - 1) * stride + d, stride, n - part, width, out + d * width + part);
        }
    }
#endif
    for (; d < n_depth; d++) {
        for (int64_t r = 0; r < n; r++) out[d * width + r] = data[r * stride + d];
        for (int64_t r = n; r < width; r++) out[d * width + r] = 0;
    }
}

/* Depth-major: short copies, some depths at a time so that neighbouring panels find their cache lines again. */
static void pack_depth_major(const ms_tile_operand *operand, const ms_tile_panels *panels, real *out) {
    enum { DEPTHS = 16 };
    int64_t row = panels->row, n_rows = panels->n_rows, k = panels->k, n_depth = panels->n_depth, width = panels->width;
    for (int64_t d0 = 0; d0 < n_depth; d0 += DEPTHS) {
        int64_t d1 = ms_min64(d0 + DEPTHS, n_depth);
        for (int64_t r0 = 0; r0 < n_rows; r0 += width) {
            real *panel = out + r0 * n_depth;
            const real *data = operand->data + (k + d0) * operand->stride + row + r0;
            int64_t n = ms_min64(width, n_rows - r0);
            for (int64_t d = d0; d < d1; d++, data += operand->stride) {
                real *to = panel + d * width;
                if (n == MS_TILE_ROWS && width == MS_TILE_ROWS) {
                    memcpy(to, data, MS_TILE_ROWS * sizeof(real));
                } else if (n == TILE_COLUMNS && width == TILE_COLUMNS) {
                    memcpy(to, data, TILE_COLUMNS * sizeof(real));
                } else {
                    memcpy(to, data, (size_t)n * sizeof(real));
                    memset(to + n, 0, (size_t)(width - n) * sizeof(real));
                }
            }
        }
    }
}

void MS_KERNEL(tile_pack)(const ms_tile_operand *operand, const ms_tile_panels *panels, real *out) {
    if (operand->depth_major) {
        pack_depth_major(operand, panels, out);
        return;
    }
    for (int64_t r0 = 0; r0 < panels->n_rows; r0 += panels->width) {
        ms_tile_panels panel = *panels;
        panel.row += r0;
        panel.n_rows = ms_min64(panels->width, panels->n_rows - r0);
        pack_rows(operand, &panel, out + r0 * panels->n_depth);
    }
}
