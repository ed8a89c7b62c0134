// Sums over rows, one for each of COLUMNS columns, by the reduction rule over the row index.  Include after common.glsl;
// backend/vulkan/columns.h sets the constants and makes the levels: one dispatch sums each block of 4096 rows, the next the sums of blocks.
//
// A workgroup takes one block of some columns: gl_LocalInvocationID.x is a column, y is one of 32 lanes.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in; // y: 32
layout(constant_id = 3) const uint COLUMNS = 1u;
layout(constant_id = 4) const uint DTYPE = MS_F32;

#include "shaders/reduce.glsl"

shared float ms_column_lanes[MS_LANES * gl_WorkGroupSize.x];

// The term of a row and column.  Defined by the op.
float ms_column_term(uint row, uint column);

// y[block, column] = sum of the block's terms of the column, for `rows` rows.  Every invocation calls it.
void ms_column_sums(F32 y, uint rows) {
    uint width = gl_WorkGroupSize.x, tiles = (COLUMNS + width - 1u) / width;
    uint block = ms_group_index() / tiles, begin = block * MS_BLOCK, end = min(rows, begin + MS_BLOCK);
    uint column = ms_group_index() % tiles * width + gl_LocalInvocationID.x, lane = gl_LocalInvocationID.y;
    precise float sum = MS_ABSENT;
    if (column < COLUMNS)
        for (uint row = begin + lane; row < end; row += MS_LANES) sum = sum + ms_column_term(row, column);
    uint at = lane * width + gl_LocalInvocationID.x, eighth = 8u * width;
    ms_column_lanes[at] = sum;
    barrier();
    if (lane < 8u) { // only this invocation reads or writes these four
        precise float even = ms_column_lanes[at] + ms_column_lanes[at + 2u * eighth];
        precise float odd = ms_column_lanes[at + eighth] + ms_column_lanes[at + 3u * eighth];
        precise float both = even + odd;
        ms_column_lanes[at] = both;
    }
    barrier();
    if (lane > 0u || begin >= rows || column >= COLUMNS) return;
    precise float a = ms_column_lanes[at] + ms_column_lanes[at + 4u * width];
    precise float b = ms_column_lanes[at + width] + ms_column_lanes[at + 5u * width];
    precise float c = ms_column_lanes[at + 2u * width] + ms_column_lanes[at + 6u * width];
    precise float d = ms_column_lanes[at + 3u * width] + ms_column_lanes[at + 7u * width];
    precise float total = (a + c) + (b + d);
    y.x[block * COLUMNS + column] = total;
}
