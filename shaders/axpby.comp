#version 460
#extension GL_GOOGLE_include_directive : require
// axpby: y = (a x0) + (b x1), or y = a x0; elementwise; y may be x0 or x1.  Definition: backend/cpu/axpby.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(constant_id = 5) const uint DTYPE = MS_F32;
layout(constant_id = 6) const uint HAS_X1 = 1u;

layout(push_constant) uniform Push {
    F32 x0, x1, y, step_scalars;
    Coefficient a, b;
    uint count;
};

void main() {
    float factor_a = ms_coefficient(a, step_scalars), factor_b = 0.0;
    if (HAS_X1 != 0u) factor_b = ms_coefficient(b, step_scalars);
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        vec4 p = ms_load4(x0, i, count, DTYPE), value;
        if (HAS_X1 != 0u) {
            vec4 q = ms_load4(x1, i, count, DTYPE);
            value = vec4(ms_formula_axpby(factor_a, p.x, factor_b, q.x), ms_formula_axpby(factor_a, p.y, factor_b, q.y),
                         ms_formula_axpby(factor_a, p.z, factor_b, q.z), ms_formula_axpby(factor_a, p.w, factor_b, q.w));
        } else {
            value = vec4(ms_formula_mul(factor_a, p.x), ms_formula_mul(factor_a, p.y), ms_formula_mul(factor_a, p.z),
                         ms_formula_mul(factor_a, p.w));
        }
        ms_store4(y, i, count, DTYPE, value);
    }
}
