#version 460
#extension GL_GOOGLE_include_directive : require
// swiglu: y = (gate sigmoid(gate)) up; y may be gate or up.  Definition: backend/cpu/swiglu.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#include "shaders/sigmoid.glsl"

layout(constant_id = 5) const uint DTYPE = MS_F32;

layout(push_constant) uniform Push {
    F32 gate, up, y;
    uint count;
};

void main() {
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        vec4 g = ms_load4(gate, i, count, DTYPE), s = ms_sigmoid(g);
        precise vec4 value = (g * s) * ms_load4(up, i, count, DTYPE);
        ms_store4(y, i, count, DTYPE, value);
    }
}
