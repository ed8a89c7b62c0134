/* One macro-tile of an exact GEMM, for matmul and gram: packs both operands chunk by chunk and runs register
   tiles. */
#ifndef MS_BACKEND_CPU_MATMUL_TILE_H
#define MS_BACKEND_CPU_MATMUL_TILE_H

#include "backend/cpu/tile.h"

enum {
    MACRO_ROWS =
        384, /* multiple of 12 and 6; with 256 columns and 512 depths a macro-tile takes 1.7 MB of f32: level 2 cache */
    MACRO_COLUMNS = 256 /* multiple of every TILE_COLUMNS */
};

/* Scratch of one thread. */
typedef struct ms_tile_scratch {
    real *a, *b; /* packed panels of one chunk */
    real *total; /* [rows of the macro-tile rounded up to MS_TILE_ROWS][total_stride] */
} ms_tile_scratch;

typedef struct ms_macro_tile {
    ms_tile_operand a, b;      /* rows of b are the columns of the matmul */
    int64_t row, n_rows;       /* n_rows <= MACRO_ROWS */
    int64_t column, n_columns; /* n_columns <= MACRO_COLUMNS */
    int64_t depth;
    bool upper_only; /* leave out register tiles that lie wholly below the diagonal */
} ms_macro_tile;

/* total[r][c] = sum over k ascending in chunks of 512, unfused, each sum starting from its first term.  Row stride of
   total: MACRO_COLUMNS.  Pure function of its arguments. */
void MS_KERNEL(tile_gemm)(const ms_macro_tile *tile, const ms_tile_scratch *scratch);

/* Bytes of scratch per thread for matmuls of this size, a multiple of 64, and its layout at `base`. */
size_t MS_KERNEL(tile_scratch_bytes)(int64_t n_rows, int64_t n_columns, int64_t depth);
ms_tile_scratch MS_KERNEL(tile_scratch_at)(void *base, int64_t n_rows, int64_t n_columns, int64_t depth);

#endif
