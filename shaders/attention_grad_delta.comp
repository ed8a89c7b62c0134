#version 460
#extension GL_GOOGLE_include_directive : require
// attention_grad on GPUs, first part: delta, the sum over d of do_id * o_id by the reduction rule, [B * H, T].  Eight invocations a
// row; a head is at most one block.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 4) const uint DTYPE = MS_F32;
layout(constant_id = 5) const uint HEAD_SIZE = 64u;
#include "shaders/quads.glsl"
#define MS_REDUCE_BY_QUAD
#include "shaders/reduce.glsl"

layout(push_constant) uniform Push {
    F32 o, d_o, delta;
    uint n_rows, sequence, heads; // rows of heads: [sequences, T, H]
};

void main() {
    uint row = (ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / MS_QUADS, at = min(row, n_rows - 1u) * HEAD_SIZE;
    precise vec4 sum = MS_ABSENT4;
    for (uint i = 4u * ms_quad(); i < HEAD_SIZE; i += MS_LANES) {
        vec4 a = ms_load4(d_o, at + i, at + HEAD_SIZE, DTYPE), b = ms_load4(o, at + i, at + HEAD_SIZE, DTYPE);
        precise vec4 product = a * b;
        sum = sum + ms_absent_above(product, i, HEAD_SIZE);
    }
    float total = ms_quad_tree(sum);
    uint position = row / heads; // of all sequences
    if (row < n_rows && ms_quad() == 0u) delta.x[((position / sequence) * heads + row % heads) * sequence + position % sequence] = total;
}
