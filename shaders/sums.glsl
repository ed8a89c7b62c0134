// Sums of parts of a tensor by the reduction rule.  Include after common.glsl; backend/vulkan/ops/sums.h sets the constants.
//
// A tensor is MATRICES times the same PARTS (up to 4) one after the other; part p is numbers [begin[p], begin[p + 1]) of each.
// Eight invocations form one sum.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint PARTS = 1u;
layout(constant_id = 4) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 5) const uint DTYPE = MS_F32;

#include "shaders/quads.glsl"
#define MS_REDUCE_BY_QUAD
#include "shaders/reduce.glsl"

// Terms i to i + 3, of which those from `end` on may be anything.  Defined by the op.
vec4 ms_sum_term(uint i, uint end);

// The number of this invocation's sum.
uint ms_sum_index() { return (ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / MS_QUADS; }

// The sum of terms [begin, end), at most 4096.  Every invocation of the workgroup calls it.
float ms_block_sum(uint begin, uint end) {
    precise vec4 lanes = MS_ABSENT4;
    for (uint i = begin + 4u * ms_quad(); i < end; i += MS_LANES) {
        vec4 term = ms_sum_term(i, end);
        lanes = lanes + (VECTOR != 0u ? term : ms_absent_above(term, i, end));
    }
    return ms_quad_tree(lanes);
}
