// Ops on rows of COLUMNS numbers, each with one sum by the reduction rule.  Include after common.glsl; backend/vulkan/ops/rows.h sets the
// constants.
//
// A row is worked on by GROUPS groups of 8 invocations: several groups only for rows of more than 4096 numbers, whose blocks they share.
// An op defines the terms of the sum, and the results that follow from it; both come in quads i to i + 3.  With one group, the
// first KEPT vectors of an invocation are number k < KEPT in both: what a term has loaded can wait in an array for the result, which is
// in registers where a compiler unrolls.  (It is not asked to: SwiftShader then forgets `precise` in all but the first round.)  All other
// quads have k = KEPT, and are loaded again, from a cache on most devices.
//
// GROUPS = 0: an invocation has a row to itself, of a multiple of 32 numbers, at most 4096, all vectors.  For software drivers, to which a
// barrier is a change of threads: then no barrier is left, nor shared memory.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint COLUMNS = 1u;
layout(constant_id = 4) const uint GROUPS = 1u; // a power of two, or 0
layout(constant_id = 5) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 6) const uint DTYPE = MS_F32;

#include "shaders/quads.glsl"
#define MS_REDUCE_BY_QUAD
#include "shaders/reduce.glsl"

const bool ALONE = GROUPS == 0u;
const uint ROW_INVOCATIONS = GROUPS == 0u ? 1u : MS_QUADS * GROUPS;
const bool KEEP = GROUPS == 1u && VECTOR != 0u;
const uint KEPT = ALONE ? MS_QUADS : KEEP ? (COLUMNS < 16u * MS_LANES ? (COLUMNS + MS_LANES - 1u) / MS_LANES : 16u) : 1u;

// Terms i to i + 3 of the row's sum; those from COLUMNS on may be anything.  Defined by the op.
vec4 ms_row_term(uint i, uint k);
// Writes results i to i + 3.  Defined by the op.
void ms_row_result(uint i, uint k);

// The row that this invocation works on; at or above the number of rows it has none, but must still call ms_row_sum.
uint ms_row() { return (ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / ROW_INVOCATIONS; }
// Whether this invocation is the first of its row.
bool ms_row_is_first() { return gl_LocalInvocationID.x % ROW_INVOCATIONS == 0u; }

// Numbers i to i + 3 of this invocation's row of an operand [rows,COLUMNS].
vec4 ms_row_load4(F32 p, uint i, uint dtype) {
    uint row = ms_row();
    return ms_load4(p, row * COLUMNS + i, row * COLUMNS + COLUMNS, dtype);
}
void ms_row_store4(F32 p, uint i, uint dtype, vec4 quad) {
    uint row = ms_row();
    ms_store4(p, row * COLUMNS + i, row * COLUMNS + COLUMNS, dtype, quad);
}

shared float ms_block_sums[ALONE ? 1u : gl_WorkGroupSize.x / MS_QUADS];

// Adds the sums of the blocks that the row's groups have just formed, the first being block i_block.
void ms_row_add_blocks(inout vec4 level, float sum, uint i_block) {
    if (GROUPS == 1u) {
        ms_level4_add(level, sum, i_block);
        return;
    }
    uint group = gl_LocalInvocationID.x / MS_QUADS, first = group - group % GROUPS;
    if (ms_quad() == 0u) ms_block_sums[group] = sum; // its last readers have passed the barrier of ms_quad_tree
    barrier();
    for (uint g = 0u; g < GROUPS; g++) ms_level4_add(level, ms_block_sums[first + g], i_block + g); // no block: adds MS_ABSENT
}

vec4 ms_row_add_term(vec4 lanes, uint i, uint k, uint end) {
    vec4 term = ms_row_term(i, k);
    precise vec4 sum = lanes + (VECTOR != 0u ? term : ms_absent_above(term, i, end));
    return sum;
}

// f(0) to f(7)
#define MS_EACH_QUAD(f) f(0u); f(1u); f(2u); f(3u); f(4u); f(5u); f(6u); f(7u);

vec4 ms_alone[MS_QUADS]; // the 32 lanes of an invocation's own row
uint ms_alone_at;

void ms_alone_begin(uint q) { ms_alone[q] = ms_row_add_term(MS_ABSENT4, 4u * q, q, COLUMNS); }
void ms_alone_add(uint q) { ms_alone[q] = ms_row_add_term(ms_alone[q], ms_alone_at + 4u * q, KEPT, COLUMNS); }
void ms_alone_result(uint q) { ms_row_result(4u * q, q); }

float ms_alone_sum() {
    MS_EACH_QUAD(ms_alone_begin)
    [[dont_unroll]] for (ms_alone_at = MS_LANES; ms_alone_at < COLUMNS; ms_alone_at += MS_LANES) { MS_EACH_QUAD(ms_alone_add) }
    precise vec4 a = ms_alone[0] + ms_alone[4], b = ms_alone[1] + ms_alone[5];
    precise vec4 c = ms_alone[2] + ms_alone[6], d = ms_alone[3] + ms_alone[7];
    precise vec4 quad = (a + c) + (b + d);
    precise vec2 pair = quad.xy + quad.zw;
    precise float total = pair.x + pair.y;
    return total;
}

// The sum over the row.  Every invocation calls it, and all of a row get the sum; has_row: whether there is a row.
float ms_row_sum(bool has_row) {
    if (ALONE) return has_row ? ms_alone_sum() : MS_ABSENT;
    uint group = gl_LocalInvocationID.x / MS_QUADS % GROUPS, columns = has_row ? COLUMNS : 0u, i = 4u * ms_quad();
    vec4 level = MS_ABSENT4, lanes = MS_ABSENT4;
    float sum = MS_ABSENT;
    if (KEEP) {
        for (uint k = 0u; k < KEPT; k++)
            if (i + k * MS_LANES < columns) lanes = ms_row_add_term(lanes, i + k * MS_LANES, k, columns);
        i += KEPT * MS_LANES;
    }
    for (uint first = 0u; first < COLUMNS; first += GROUPS * MS_REDUCE_BLOCK) {
        uint begin = first + group * MS_REDUCE_BLOCK, end = min(columns, begin + MS_REDUCE_BLOCK);
        for (i += group * MS_REDUCE_BLOCK; i < end; i += MS_LANES) lanes = ms_row_add_term(lanes, i, KEPT, end);
        sum = ms_quad_tree(lanes);
        if (COLUMNS > MS_REDUCE_BLOCK) ms_row_add_blocks(level, sum, first / MS_REDUCE_BLOCK);
        lanes = MS_ABSENT4;
        i = first + GROUPS * MS_REDUCE_BLOCK + 4u * ms_quad();
    }
    return COLUMNS > MS_REDUCE_BLOCK ? ms_quad_tree(level) : sum;
}

// All results of the row, after its sum.
void ms_row_results() {
    if (ALONE) {
        MS_EACH_QUAD(ms_alone_result)
        [[dont_unroll]] for (uint i = MS_LANES; i < COLUMNS; i += 4u) ms_row_result(i, KEPT);
        return;
    }
    uint i = gl_LocalInvocationID.x % ROW_INVOCATIONS * 4u;
    if (KEEP) {
        for (uint k = 0u; k < KEPT; k++)
            if (i + k * MS_LANES < COLUMNS) ms_row_result(i + k * MS_LANES, k);
        i += KEPT * MS_LANES;
    }
    for (; i < COLUMNS; i += 4u * ROW_INVOCATIONS) ms_row_result(i, KEPT);
}
