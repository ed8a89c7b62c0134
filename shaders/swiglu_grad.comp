#version 460
#extension GL_GOOGLE_include_directive : require
// swiglu_grad: with s = sigmoid(gate):  dgate = (dy up) (s (1 + gate (1 - s))),  dup = dy (gate s); dgate may be gate and dup may
// be up.  Definition: backend/cpu/swiglu_grad.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#include "shaders/sigmoid.glsl"

layout(constant_id = 5) const uint DTYPE = MS_F32;
layout(constant_id = 6) const uint WANTS_DGATE = 1u;
layout(constant_id = 7) const uint WANTS_DUP = 1u;

layout(push_constant) uniform Push {
    F32 gate, up, dy, dgate, dup;
    uint count;
};

void main() {
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        vec4 g = ms_load4(gate, i, count, DTYPE), s = ms_sigmoid(g), d = ms_load4(dy, i, count, DTYPE), u = vec4(0.0);
        if (WANTS_DGATE != 0u) u = ms_load4(up, i, count, DTYPE);
        precise vec4 for_gate = (d * u) * (s * (1.0 + g * (1.0 - s)));
        precise vec4 for_up = d * (g * s);
        if (WANTS_DGATE != 0u) ms_store4(dgate, i, count, DTYPE, for_gate);
        if (WANTS_DUP != 0u) ms_store4(dup, i, count, DTYPE, for_up);
    }
}
