#version 460
#extension GL_GOOGLE_include_directive : require
// The end of a matmul or gram whose chunks of depth were summed by different workgroups: y = alpha * (chunk sums, ascending) +
// beta * c; sums [n_chunks][count].
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint ITEMS = 4u;
layout(constant_id = 4) const uint DTYPE_Y = MS_F32; // of c too
layout(constant_id = 5) const uint HAS_C = 0u;

layout(push_constant) uniform Push {
    F32 sums, c, y; // c may be y
    uint count, n_chunks;
    float alpha, beta;
};

void main() {
    uint first = ms_group_index() * gl_WorkGroupSize.x * ITEMS + gl_LocalInvocationID.x;
    for (uint item = 0u; item < ITEMS; item++) {
        uint i = first + item * gl_WorkGroupSize.x;
        if (i >= count) return;
        precise float value = sums.x[i];
        for (uint chunk = 1u; chunk < n_chunks; chunk++) value = value + sums.x[chunk * count + i];
        value = alpha * value;
        if (HAS_C != 0u) value = value + beta * ms_load(c, i, DTYPE_Y);
        ms_store(y, i, DTYPE_Y, value);
    }
}
