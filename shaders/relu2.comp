#version 460
#extension GL_GOOGLE_include_directive : require
// relu2: r = x < 0 ? 0 : x (so NaN stays); y = r r; y may be x.  Definition: backend/cpu/relu2.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"

layout(constant_id = 5) const uint DTYPE = MS_F32;

layout(push_constant) uniform Push {
    F32 x, y;
    uint count;
};

void main() {
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        vec4 r = ms_load4(x, i, count, DTYPE);
        r = mix(r, vec4(0.0), ms_is_negative(r));
        precise vec4 value = r * r;
        ms_store4(y, i, count, DTYPE, value);
    }
}
