/* Unfused multiply and add bound this kernel to half of the FMA peak; the tile of 12 x 2 vectors keeps both vector
   ports busy with 24 independent sums.  Panel layout and blocking follow Goto & van de Geijn 2008. */
#include "backend/cpu/matmul_tile.h"

/* One register tile over one chunk: out (stride MACRO_COLUMNS) = sum, or out + sum when `add`.  n_rows is a constant at
   every call, so the loops over rows unroll. */
static inline __attribute__((always_inline)) void tile(const int n_rows, int64_t n_depth, const real *a, const real *b,
                                                       bool add, real *out) {
    vec sum[MS_TILE_ROWS][2];
    vec b0 = vec_load(b), b1 = vec_load(b + LANES);
    for (int r = 0; r < n_rows; r++) {
        sum[r][0] = a[r] * b0;
        sum[r][1] = a[r] * b1;
    }
    for (int64_t k = 1; k < n_depth; k++) {
        a += MS_TILE_ROWS;
        b += TILE_COLUMNS;
        b0 = vec_load(b);
        b1 = vec_load(b + LANES);
        for (int r = 0; r < n_rows; r++) {
            sum[r][0] = sum[r][0] + a[r] * b0;
            sum[r][1] = sum[r][1] + a[r] * b1;
        }
    }
    for (int r = 0; r < n_rows; r++) {
        for (int half = 0; half < 2; half++) {
            real *to = out + r * MACRO_COLUMNS + half * LANES;
            vec_store(to, add ? vec_load(to) + sum[r][half] : sum[r][half]);
        }
    }
}

/* Rows of a panel beyond n_rows are not computed: decoding has one row and must not pay for twelve. */
static void tile_of_rows(int64_t n_rows, int64_t n_depth, const real *a, const real *b, bool add, real *out) {
    switch (n_rows) {
    case 1:
        tile(1, n_depth, a, b, add, out);
        return;
    case 2:
        tile(2, n_depth, a, b, add, out);
        return;
    case 3:
        tile(3, n_depth, a, b, add, out);
        return;
    case 4:
        tile(4, n_depth, a, b, add, out);
        return;
    case 5:
        tile(5, n_depth, a, b, add, out);
        return;
    case 6:
        tile(6, n_depth, a, b, add, out);
        return;
#if MS_TILE_ROWS == 12
    case 7:
    case 8:
        tile(8, n_depth, a, b, add, out);
        return;
    case 9:
    case 10:
        tile(10, n_depth, a, b, add, out);
        return;
    default:
        tile(12, n_depth, a, b, add, out);
        return;
#endif
    }
}

void MS_KERNEL(tile_gemm)(const ms_macro_tile *tile, const ms_tile_scratch *scratch) {
    for (int64_t k = 0; k < tile->depth; k += MS_DEPTH_CHUNK) {
        int64_t n_depth = ms_min64(MS_DEPTH_CHUNK, tile->depth - k);
        ms_tile_panels a = {tile->row, tile->n_rows, k, n_depth, MS_TILE_ROWS};
        ms_tile_panels b = {tile->column, tile->n_columns, k, n_depth, TILE_COLUMNS};
        MS_KERNEL(tile_pack)(&tile->a, &a, scratch->a);
        MS_KERNEL(tile_pack)(&tile->b, &b, scratch->b);
        for (int64_t c = 0; c < tile->n_columns; c += TILE_COLUMNS) {
            for (int64_t r = 0; r < tile->n_rows; r += MS_TILE_ROWS) {
                if (tile->upper_only && tile->column + c + TILE_COLUMNS <= tile->row + r) break;
                tile_of_rows(ms_min64(MS_TILE_ROWS, tile->n_rows - r), n_depth, scratch->a + r * n_depth,
                             scratch->b + c * n_depth, k > 0, scratch->total + r * MACRO_COLUMNS + c);
            }
        }
    }
}

static int64_t part_a(int64_t n_rows, int64_t depth) {
    return ms_round_up64(
        ms_round_up64(ms_min64(n_rows, MACRO_ROWS), MS_TILE_ROWS) * ms_min64(depth, MS_DEPTH_CHUNK) + LANES, LANES);
}

static int64_t part_b(int64_t n_columns, int64_t depth) {
    return ms_round_up64(ms_min64(n_columns, MACRO_COLUMNS), TILE_COLUMNS) * ms_min64(depth, MS_DEPTH_CHUNK) + LANES;
}

size_t MS_KERNEL(tile_scratch_bytes)(int64_t n_rows, int64_t n_columns, int64_t depth) {
    int64_t total = ms_round_up64(ms_min64(n_rows, MACRO_ROWS), MS_TILE_ROWS) * MACRO_COLUMNS;
    int64_t count = part_a(n_rows, depth) + part_b(n_columns, depth) + total;
    return (size_t)ms_round_up64(count * (int64_t)sizeof(real), 64);
}

ms_tile_scratch MS_KERNEL(tile_scratch_at)(void *base, int64_t n_rows, int64_t n_columns, int64_t depth) {
    ms_tile_scratch scratch;
    scratch.a = base;
    scratch.b = scratch.a + part_a(n_rows, depth);
    scratch.total = scratch.b + part_b(n_columns, depth);
    return scratch;
}
