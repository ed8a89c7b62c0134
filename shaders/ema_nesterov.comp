#version 460
#extension GL_GOOGLE_include_directive : require
// ema_nesterov: ms_formula_ema_nesterov of the gradient times the factor of clip; m' may be m and u may be g.  Definition:
// backend/cpu/ema_nesterov.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

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
        vec4 q = ms_load4(m, i, count, MS_F32);
        ms_pair x = ms_formula_ema_nesterov(q.x, gradient.x, decay, rest, NESTEROV != 0u);
        ms_pair y = ms_formula_ema_nesterov(q.y, gradient.y, decay, rest, NESTEROV != 0u);
        ms_pair z = ms_formula_ema_nesterov(q.z, gradient.z, decay, rest, NESTEROV != 0u);
        ms_pair w = ms_formula_ema_nesterov(q.w, gradient.w, decay, rest, NESTEROV != 0u);
        if (WANTS_M != 0u) ms_store4(m_out, i, count, MS_F32, vec4(x.first, y.first, z.first, w.first));
        if (WANTS_U != 0u) ms_store4(u, i, count, MS_F32, vec4(x.second, y.second, z.second, w.second));
    }
}
