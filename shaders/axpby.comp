#version 460
#extension GL_GOOGLE_include_directive : require
// axpby: y = (a x0) + (b x1), or y = a x0; elementwise; y may be x0 or x1.  Definition: backend/cpu/axpby.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"

layout(constant_id = 5) const uint DTYPE = MS_F32;
layout(constant_id = 6) const uint HAS_X1 = 1u;

layout(push_constant) uniform Push {
    F32 x0, x1, y, step_scalars;
    Coefficient a, b;
    uint count;
};

void main() {
    precise float factor_a = ms_coefficient(a, step_scalars), factor_b = 0.0;
    if (HAS_X1 != 0u) factor_b = ms_coefficient(b, step_scalars);
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        precise vec4 value = factor_a * ms_load4(x0, i, count, DTYPE);
        if (HAS_X1 != 0u) value = value + factor_b * ms_load4(x1, i, count, DTYPE);
        ms_store4(y, i, count, DTYPE, value);
    }
}
