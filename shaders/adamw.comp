#version 460
#extension GL_GOOGLE_include_directive : require
// adamw: g' = factor g (g without clip);  m' = (b1 m) + ((1-b1) g');  v' = (b2 v) + (((1-b2) g') g'), 0 below 2^-80;
// delta = lr ((m' inverse_bias1) / (sqrt(v' inverse_bias2) + epsilon) + decay w); the outputs may be m, v, g.
// Definition: backend/cpu/adamw.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/exact.h"

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

// v < 2^-80 ? 0 : v, by bits, component by component: NaN and infinity stay; what is negative is 0.
vec4 flush_small(vec4 v_new) {
    bvec4 is_small = lessThan(floatBitsToUint(v_new) & 0x7fffffffu, uvec4(0x17800000u));
    v_new = mix(v_new, vec4(0.0), is_small);
    return mix(v_new, vec4(0.0), ms_is_negative(v_new));
}

float step_of(float m_new, float v_new, float weight, float rate, float inverse1, float inverse2) {
    precise float scaled = v_new * inverse2;
    precise float root = ms_sqrt(scaled) + EPSILON;
    precise float corrected = m_new * inverse1;
    precise float change = rate * (ms_div(corrected, root) + DECAY * weight);
    return change;
}

void main() {
    precise float rest1 = 1.0 - BETA1, rest2 = 1.0 - BETA2, factor = 1.0;
    float rate = ms_coefficient(lr, step_scalars);
    float inverse1 = ms_coefficient(inverse_bias1, step_scalars), inverse2 = ms_coefficient(inverse_bias2, step_scalars);
    if (HAS_CLIP != 0u) factor = clip.x[1];
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        precise vec4 gradient = ms_load4(g, i, count, MS_F32);
        if (HAS_CLIP != 0u) gradient = factor * gradient;
        precise vec4 m_new = BETA1 * ms_load4(m, i, count, MS_F32) + rest1 * gradient;
        precise vec4 v_new = BETA2 * ms_load4(v, i, count, MS_F32) + (rest2 * gradient) * gradient;
        v_new = flush_small(v_new);
        if (WANTS_DELTA != 0u) {
            vec4 weight = ms_load4(w, i, count, MS_F32);
            vec4 change = vec4(step_of(m_new.x, v_new.x, weight.x, rate, inverse1, inverse2),
                               step_of(m_new.y, v_new.y, weight.y, rate, inverse1, inverse2),
                               step_of(m_new.z, v_new.z, weight.z, rate, inverse1, inverse2),
                               step_of(m_new.w, v_new.w, weight.w, rate, inverse1, inverse2));
            ms_store4(delta, i, count, MS_F32, change);
        }
        if (WANTS_M != 0u) ms_store4(m_out, i, count, MS_F32, m_new);
        if (WANTS_V != 0u) ms_store4(v_out, i, count, MS_F32, v_new);
    }
}
