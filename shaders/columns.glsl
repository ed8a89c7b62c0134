// Sums over rows, one for each of COLUMNS columns, by the reduction rule over the row index.  Include after common.glsl;
// backend/vulkan/ops/columns.h sets the constants and makes the levels: one dispatch sums each block of 4096 rows, the next the sums of blocks.
//
// A workgroup takes one block of some quads of columns: gl_LocalInvocationID.x is a quad, y is one of 32 lanes.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in; // y: 32
layout(constant_id = 3) const uint COLUMNS = 1u;
layout(constant_id = 4) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 5) const uint DTYPE = MS_F32;

#include "shaders/quads.glsl"
#include "shaders/reduce.glsl"

shared vec4 ms_column_lanes[MS_LANES * gl_WorkGroupSize.x];

// The terms of a row in columns i to i + 3.  Defined by the op.
vec4 ms_column_term(uint row, uint i);

// Columns i to i + 3 of a row of an operand [rows,COLUMNS].
vec4 ms_column_load4(F32 p, uint row, uint i, uint dtype) { return ms_load4(p, row * COLUMNS + i, row * COLUMNS + COLUMNS, dtype); }

// y[block, i] = sum of the block's terms, for `rows` rows.  Every invocation calls it.
void ms_column_sums(F32 y, uint rows) {
    uint width = gl_WorkGroupSize.x, tiles = (COLUMNS + 4u * width - 1u) / (4u * width);
    uint block = ms_group_index() / tiles, begin = block * MS_REDUCE_BLOCK, end = min(rows, begin + MS_REDUCE_BLOCK);
    uint i = 4u * (ms_group_index() % tiles * width + gl_LocalInvocationID.x), lane = gl_LocalInvocationID.y;
    precise vec4 sum = MS_ABSENT4;
    if (i < COLUMNS)
        for (uint row = begin + lane; row < end; row += MS_LANES) sum = sum + ms_column_term(row, i);
    uint at = lane * width + gl_LocalInvocationID.x, eighth = 8u * width;
    ms_column_lanes[at] = sum;
    barrier();
    if (lane < 8u) { // only this invocation reads or writes these four
        precise vec4 even = ms_column_lanes[at] + ms_column_lanes[at + 2u * eighth];
        precise vec4 odd = ms_column_lanes[at + eighth] + ms_column_lanes[at + 3u * eighth];
        precise vec4 both = even + odd;
        ms_column_lanes[at] = both;
    }
    barrier();
    if (lane > 0u || begin >= rows || i >= COLUMNS) return;
    precise vec4 a = ms_column_lanes[at] + ms_column_lanes[at + 4u * width];
    precise vec4 b = ms_column_lanes[at + width] + ms_column_lanes[at + 5u * width];
    precise vec4 c = ms_column_lanes[at + 2u * width] + ms_column_lanes[at + 6u * width];
    precise vec4 d = ms_column_lanes[at + 3u * width] + ms_column_lanes[at + 7u * width];
    precise vec4 total = (a + c) + (b + d);
    ms_store4(y, block * COLUMNS + i, block * COLUMNS + COLUMNS, MS_F32, total);
}
