/* Register tiles shared by matmul, gram and attention: vector type, loads, and packing into panels.  Lanes are
   independent outputs, so the width of a vector never changes a bit; sums run along the depth only.

   An operand is a matrix seen as rows (the index that survives the matmul) by depth (the summed index).  A panel holds
   `width` rows interleaved: panel[k * width + r].  Only for sources compiled with MS_REAL (see cpu_kernel.h). */
#ifndef MS_BACKEND_CPU_TILE_H
#define MS_BACKEND_CPU_TILE_H

#include "backend/cpu/cpu_kernel.h"
#include "backend/exact_constants.h"

#include <string.h>

#if defined(__AVX512F__)
#define MS_VECTOR_BYTES 64
#define MS_TILE_ROWS 12 /* 12 x 2 vectors of sums leave 8 registers for the factors */
#elif defined(__AVX__)
#define MS_VECTOR_BYTES 32
#define MS_TILE_ROWS 6
#else
#define MS_VECTOR_BYTES 16
#define MS_TILE_ROWS 6
#endif

typedef real vec __attribute__((vector_size(MS_VECTOR_BYTES)));
enum { LANES = MS_VECTOR_BYTES / sizeof(real), TILE_COLUMNS = 2 * LANES };

static inline vec vec_load(const real *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vec_store(real *p, vec v) { memcpy(p, &v, sizeof v); }
/* x - (+0) is x for every x, -0 included; x + 0 would lose -0. */
static inline vec vec_splat(real x) { return x - (vec){0}; }

static inline int64_t ms_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t ms_round_up64(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Element (row, k) is at data[k * stride + row] when depth_major, else at data[row * stride + k]. */
typedef struct ms_tile_operand {
    const real *data;
    int64_t stride; /* elements */
    bool depth_major;
} ms_tile_operand;

/* Rows [row, row + n_rows) and depths [k, k + n_depth) of an operand, in panels of `width` rows: MS_TILE_ROWS,
   TILE_COLUMNS or LANES. */
typedef struct ms_tile_panels {
    int64_t row, n_rows, k, n_depth, width;
} ms_tile_panels;

/* Packs them into ceil(n_rows / width) panels of n_depth * width elements, one after the other.  Rows past the end are
   zero: they feed lanes that nobody stores.  Writes up to MS_VECTOR_BYTES past the last panel. */
void MS_KERNEL(tile_pack)(const ms_tile_operand *operand, const ms_tile_panels *panels, real *out);

#endif
