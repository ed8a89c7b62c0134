#version 460
#extension GL_GOOGLE_include_directive : require
// adamw: ms_formula_adamw_moments and ms_formula_adamw_delta, the gradient times the factor of clip first; the outputs may be m, v, g.
// Definition: backend/cpu/adamw.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(constant_id = 5) const uint HAS_CLIP = 0u;
layout(constant_id = 6) const uint WANTS_M = 1u;
layout(constant_id = 7) const uint WANTS_V = 1u;
layout(constant_id = 8) const uint WANTS_DELTA = 1u;
layout(constant_id = 9) const float BETA1 = 0.9;
layout(constant_id = 10) const float BETA2 = 0.95;
layout(constant_id = 11) const float EPSILON = 1e-8;
layout(constant_id = 12) const float DECAY = 0.0;

layout(push_constant) uniform Push {
    F32 m, v, g, w, clip, m_out, v_out, delta, step_scalars; // clip: {norm, factor}
    Coefficient lr, inverse_bias1, inverse_bias2;
    uint count;
};

void main() {
    precise float rest1 = 1.0 - BETA1, rest2 = 1.0 - BETA2, factor = 1.0;
    ms_adamw_rates rates = ms_adamw_rates(BETA1, rest1, BETA2, rest2);
    ms_adamw_step step_now = ms_adamw_step(ms_coefficient(lr, step_scalars), ms_coefficient(inverse_bias1, step_scalars),
                                           ms_coefficient(inverse_bias2, step_scalars), EPSILON, DECAY);
    if (HAS_CLIP != 0u) factor = clip.x[1];
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        precise vec4 gradient = ms_load4(g, i, count, MS_F32);
        if (HAS_CLIP != 0u) gradient = factor * gradient;
        vec4 p = ms_load4(m, i, count, MS_F32), q = ms_load4(v, i, count, MS_F32);
        ms_pair x = ms_formula_adamw_moments(p.x, q.x, gradient.x, rates), y = ms_formula_adamw_moments(p.y, q.y, gradient.y, rates);
        ms_pair z = ms_formula_adamw_moments(p.z, q.z, gradient.z, rates), last = ms_formula_adamw_moments(p.w, q.w, gradient.w, rates);
        if (WANTS_DELTA != 0u) {
            vec4 weight = ms_load4(w, i, count, MS_F32);
            vec4 change = vec4(ms_formula_adamw_delta(x.first, x.second, weight.x, step_now),
                               ms_formula_adamw_delta(y.first, y.second, weight.y, step_now),
                               ms_formula_adamw_delta(z.first, z.second, weight.z, step_now),
                               ms_formula_adamw_delta(last.first, last.second, weight.w, step_now));
            ms_store4(delta, i, count, MS_F32, change);
        }
        if (WANTS_M != 0u) ms_store4(m_out, i, count, MS_F32, vec4(x.first, y.first, z.first, last.first));
        if (WANTS_V != 0u) ms_store4(v_out, i, count, MS_F32, vec4(x.second, y.second, z.second, last.second));
    }
}
