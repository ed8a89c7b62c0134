#version 460
#extension GL_GOOGLE_include_directive : require
// attention_grad, last part: dk and dv as the sums, over the heads of a group ascending, of what attention_grad_key made; dk times
// the scale.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u; // see quads.glsl
layout(constant_id = 4) const uint DTYPE = MS_F32;
layout(constant_id = 5) const uint HEAD_SIZE = 32u;
layout(constant_id = 6) const uint GROUP = 1u; // heads
layout(constant_id = 7) const uint HAS_DK = 1u;
layout(constant_id = 8) const uint HAS_DV = 1u;
#include "shaders/quads.glsl"

layout(push_constant) uniform Push {
    F32 sums_k, sums_v; // [rows, GROUP, QUADS, 4]
    F32 dk, dv;         // [rows, HEAD_SIZE]
    uint n_quads;       // of an output
    float scale;
};

const uint QUADS = (HEAD_SIZE + 3u) / 4u;

vec4 sum_heads(F32 sums, uint row, uint d) {
    uint at = row * GROUP * QUADS + d;
    precise vec4 sum = F32x4(uvec2(sums)).x[at];
    for (uint h = 1u; h < GROUP; h++) sum = sum + F32x4(uvec2(sums)).x[at + h * QUADS];
    return sum;
}

void main() {
    uint i = ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (i >= n_quads) return;
    uint row = i / QUADS, d = i % QUADS, at = row * HEAD_SIZE + 4u * d, end = (row + 1u) * HEAD_SIZE;
    if (HAS_DK != 0u) {
        precise vec4 scaled = sum_heads(sums_k, row, d) * scale;
        ms_store4(dk, at, end, DTYPE, scaled);
    }
    if (HAS_DV != 0u) ms_store4(dv, at, end, DTYPE, sum_heads(sums_v, row, d));
}
