// What the kernels of matmul and gram share: operands, which part of the result a workgroup makes, how a sum becomes a result.
// Definition: backend/cpu/matmul.c and gram.c.  y = alpha * op(a) op(b) + beta * c, for a batch of matrices.
//
// Transposes are strides: element (row, k) of op(a) is at row * a_row + k * a_depth, element (k, column) of op(b) at
// column * b_column + k * b_depth.  gram is a times itself: MIRROR leaves out the tiles below the diagonal and stores each element
// twice; x y and y x have the same bits.
//
// Sums over k run in chunks of 512 whose sums are added in ascending order.  Sums start from -0, which is the number that changes
// nothing it is added to: +0 would turn a sum of -0 to +0.  With n_chunks > 1 each workgroup makes one chunk's sums, y is scratch
// [n_chunks][batch][rows][columns], alpha is 1, and matmul_sum.comp does the rest.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint DTYPE_A = MS_F32;
layout(constant_id = 4) const uint DTYPE_B = MS_F32;
layout(constant_id = 5) const uint DTYPE_Y = MS_F32; // of c too
layout(constant_id = 6) const uint HAS_C = 0u;
layout(constant_id = 7) const uint MIRROR = 0u;

layout(push_constant) uniform Push {
    F32 a, b, c, y; // c may be y
    uint n_groups, tiles_x, tiles_y, n_chunks;
    uint n_rows, n_columns, depth, batch;
    uint a_row, a_depth, a_matrix; // elements between neighbours; a_matrix, b_matrix: 0 for one matrix shared by all
    uint b_column, b_depth, b_matrix;
    float alpha, beta;
};

#define MS_EXACT_GLSL
#include "backend/exact_constants.h"


#ifdef MS_FAST
#define MS_SUM float
#define MS_SUM4 vec4
#else
#define MS_SUM precise float
#define MS_SUM4 precise vec4
#endif

struct Part {
    uint tile_x, tile_y, chunk, matrix;
};

Part part_of(uint group) {
    Part part;
    part.tile_x = group % tiles_x;
    uint rest = group / tiles_x;
    part.tile_y = rest % tiles_y;
    rest /= tiles_y;
    part.chunk = rest % n_chunks;
    part.matrix = rest / n_chunks;
    return part;
}

uint depth_begin(Part part) { return part.chunk * MS_DEPTH_CHUNK; }
uint depth_end(Part part) { return n_chunks > 1u ? min(depth, (part.chunk + 1u) * MS_DEPTH_CHUNK) : depth; }

// With ALL_F32 every operand is f32.
#ifdef ALL_F32
#define LOAD_C(i) c.x[i]
#define STORE_Y(i, value) y.x[i] = value
#else
#define LOAD_C(i) ms_load(c, i, DTYPE_Y)
#define STORE_Y(i, value) ms_store(y, i, DTYPE_Y, value)
#endif

void store_result(Part part, uint row, uint column, float total) {
    if (row < n_rows && column < n_columns && (MIRROR == 0u || row <= column)) {
        uint first = (part.chunk * batch + part.matrix) * n_rows * n_columns;
        uint i = first + row * n_columns + column;
        MS_SUM value = alpha * total;
        if (HAS_C != 0u) value = value + beta * LOAD_C(i);
        STORE_Y(i, value);
        if (MIRROR != 0u && row != column) STORE_Y(first + column * n_columns + row, value);
    }
}
