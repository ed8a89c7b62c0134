#version 460
#extension GL_GOOGLE_include_directive : require
// ema_nesterov: g' = factor g (g without clip);  m' = (b m) + ((1-b) g');  u = ((1-b) g') + (b m') with NESTEROV, else m'; m' may be
// m and u may be g.  Definition: backend/cpu/ema_nesterov.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"

layout(constant_id = 5) const uint HAS_CLIP = 0u;
layout(constant_id = 6) const uint NESTEROV = 1u;
layout(constant_id = 7) const uint WANTS_M = 1u;
layout(constant_id = 8) const uint WANTS_U = 1u;

layout(push_constant) uniform Push {
    F32 m, g, clip, m_out, u, step_scalars; // clip: {norm, factor}
    Coefficient momentum;
    uint count;
};

void main() {
    precise float decay = ms_coefficient(momentum, step_scalars), rest = 1.0 - decay, factor = 1.0;
    if (HAS_CLIP != 0u) factor = clip.x[1];
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        precise vec4 gradient = ms_load4(g, i, count, MS_F32);
        if (HAS_CLIP != 0u) gradient = factor * gradient;
        precise vec4 part = rest * gradient;
        precise vec4 m_new = decay * ms_load4(m, i, count, MS_F32) + part;
        precise vec4 update = m_new;
        if (NESTEROV != 0u) update = part + decay * m_new;
        if (WANTS_M != 0u) ms_store4(m_out, i, count, MS_F32, m_new);
        if (WANTS_U != 0u) ms_store4(u, i, count, MS_F32, update);
    }
}
