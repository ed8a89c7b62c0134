#version 460
#extension GL_GOOGLE_include_directive : require
// cast: y = x between f32 and bf16, rounding to nearest even.  Definition: backend/cpu/cast.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"

layout(constant_id = 5) const uint X_DTYPE = MS_F32;
layout(constant_id = 6) const uint Y_DTYPE = MS_BF16;

layout(push_constant) uniform Push {
    F32 x, y;
    uint count;
};

void main() {
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        ms_store4(y, i, count, Y_DTYPE, ms_load4(x, i, count, X_DTYPE));
    }
}
