#version 460
#extension GL_GOOGLE_include_directive : require
// axpby: y = (a x0) + (b x1), or y = a x0; elementwise; y may be x0 or x1.  Definition: backend/cpu/axpby.c.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint ITEMS = 4u; // elements per invocation
layout(constant_id = 4) const uint DTYPE = MS_F32;
layout(constant_id = 5) const uint HAS_X1 = 1u;

layout(push_constant) uniform Push {
    F32 x0, x1, y, step_scalars;
    Coefficient a, b;
    uint count;
};

void main() {
    uint first = ms_group_index() * gl_WorkGroupSize.x * ITEMS + gl_LocalInvocationID.x;
    precise float factor_a = ms_coefficient(a, step_scalars);
    precise float factor_b = 0.0;
    if (HAS_X1 != 0u) factor_b = ms_coefficient(b, step_scalars);
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = first + k * gl_WorkGroupSize.x;
        if (i >= count) return;
        precise float value = factor_a * ms_load(x0, i, DTYPE);
        if (HAS_X1 != 0u) value = value + factor_b * ms_load(x1, i, DTYPE);
        ms_store(y, i, DTYPE, value);
    }
}
