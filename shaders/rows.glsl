// Ops on rows of COLUMNS numbers, each with one sum by the reduction rule.  Include after common.glsl; backend/vulkan/rows.h sets the
// constants.
//
// A row is worked on by GROUPS groups of 8 invocations: several groups only for rows of more than 4096 numbers, whose blocks they share.
// An invocation's share of a row, where order does not matter:
//     for (uint i = ms_row_begin(); i < COLUMNS; i += ms_row_stride()) { numbers i to i + 3 }
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint COLUMNS = 1u;
layout(constant_id = 4) const uint GROUPS = 1u;  // a power of two
layout(constant_id = 5) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 6) const uint DTYPE = MS_F32;

#include "shaders/quads.glsl"
#define MS_REDUCE_BY_QUAD
#include "shaders/reduce.glsl"

// The row that this invocation works on; at or above the number of rows it has none, but must still call ms_row_sum.
uint ms_row() { return (ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / (MS_QUADS * GROUPS); }
uint ms_row_begin() { return gl_LocalInvocationID.x % (MS_QUADS * GROUPS) * 4u; }
uint ms_row_stride() { return 4u * MS_QUADS * GROUPS; }

// Numbers i to i + 3 of this invocation's row of an operand [rows,COLUMNS].
vec4 ms_row_load4(F32 p, uint i, uint dtype) {
    uint row = ms_row();
    return ms_load4(p, row * COLUMNS + i, row * COLUMNS + COLUMNS, dtype);
}
void ms_row_store4(F32 p, uint i, uint dtype, vec4 quad) {
    uint row = ms_row();
    ms_store4(p, row * COLUMNS + i, row * COLUMNS + COLUMNS, dtype, quad);
}

shared float ms_block_sums[gl_WorkGroupSize.x / MS_QUADS];

// Adds the sums of the blocks that the row's groups have just formed, the first being block i_block.
void ms_add_blocks(inout vec4 level, float sum, uint i_block) {
    if (GROUPS == 1u) {
        ms_level4_add(level, sum, i_block);
        return;
    }
    uint group = gl_LocalInvocationID.x / MS_QUADS, first = group - group % GROUPS;
    if (ms_quad() == 0u) ms_block_sums[group] = sum; // its last readers have passed the barriers of ms_quad_tree
    barrier();
    for (uint g = 0u; g < GROUPS; g++) ms_level4_add(level, ms_block_sums[first + g], i_block + g); // none there: adds MS_ABSENT
}

// Terms i to i + 3 of the row's sum; those from COLUMNS on may be anything.  Defined by the op.
vec4 ms_row_term(uint i);

// The sum over the row.  Every invocation calls it, and all of a row get the sum; has_row: whether there is a row.
float ms_row_sum(bool has_row) {
    uint group = gl_LocalInvocationID.x / MS_QUADS % GROUPS;
    vec4 level = MS_ABSENT4;
    float sum = MS_ABSENT;
    for (uint first = 0u; first < COLUMNS; first += GROUPS * MS_BLOCK) {
        uint begin = first + group * MS_BLOCK, end = has_row ? min(COLUMNS, begin + MS_BLOCK) : 0u;
        precise vec4 lanes = MS_ABSENT4;
        for (uint i = begin + 4u * ms_quad(); i < end; i += MS_LANES) {
            vec4 term = ms_row_term(i);
            lanes = lanes + (VECTOR != 0u ? term : ms_absent_above(term, i, end));
        }
        sum = ms_quad_tree(lanes);
        if (COLUMNS > MS_BLOCK) ms_add_blocks(level, sum, first / MS_BLOCK);
    }
    return COLUMNS > MS_BLOCK ? ms_quad_tree(level) : sum;
}
