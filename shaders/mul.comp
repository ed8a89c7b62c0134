#version 460
#extension GL_GOOGLE_include_directive : require
// mul: y = x0 x1 elementwise; x1 may be one number; y may be x0.  Definition: backend/cpu/mul.c.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(constant_id = 5) const uint DTYPE = MS_F32;
layout(constant_id = 6) const uint X1_DTYPE = MS_F32;
layout(constant_id = 7) const uint IS_SCALAR = 0u; // x1 is one number

layout(push_constant) uniform Push {
    F32 x0, x1, y;
    uint count;
};

void main() {
    vec4 factor = vec4(0.0);
    if (IS_SCALAR != 0u) factor = vec4(ms_load(x1, 0u, X1_DTYPE));
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        if (IS_SCALAR == 0u) factor = ms_load4(x1, i, count, X1_DTYPE);
        vec4 q = ms_load4(x0, i, count, DTYPE);
        vec4 value = vec4(ms_formula_mul(q.x, factor.x), ms_formula_mul(q.y, factor.y), ms_formula_mul(q.z, factor.z),
                          ms_formula_mul(q.w, factor.w));
        ms_store4(y, i, count, DTYPE, value);
    }
}
