#version 460
#extension GL_GOOGLE_include_directive : require
// An op of kind ELEMENTWISE: its formula, which MS_FORMULA names, for each place of MS_N_IN inputs and MS_N_OUT outputs.  Compiled once
// for each such row of ops.def (CMakeLists.txt).  An output may be an input.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(constant_id = 5) const uint DTYPE = MS_F32;
layout(constant_id = 6) const uint WANTS_0 = 1u;
#if MS_N_OUT == 2
layout(constant_id = 7) const uint WANTS_1 = 1u;
#endif

layout(push_constant) uniform Push {
    F32 x0;
#if MS_N_IN >= 2
    F32 x1;
#endif
#if MS_N_IN >= 3
    F32 x2;
#endif
    F32 y0;
#if MS_N_OUT == 2
    F32 y1;
#endif
    uint count;
};

#if MS_N_IN == 1
#define FORMULA(c) MS_FORMULA(q0.c)
#elif MS_N_IN == 2
#define FORMULA(c) MS_FORMULA(q0.c, q1.c)
#elif MS_N_IN == 3
#define FORMULA(c) MS_FORMULA(q0.c, q1.c, q2.c)
#endif

void main() {
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        vec4 q0 = ms_load4(x0, i, count, DTYPE);
#if MS_N_IN >= 2
        vec4 q1 = ms_load4(x1, i, count, DTYPE);
#endif
#if MS_N_IN >= 3
        vec4 q2 = ms_load4(x2, i, count, DTYPE);
#endif
#if MS_N_OUT == 1
        ms_store4(y0, i, count, DTYPE, vec4(FORMULA(x), FORMULA(y), FORMULA(z), FORMULA(w)));
#else
        ms_pair x = FORMULA(x), y = FORMULA(y), z = FORMULA(z), w = FORMULA(w);
        if (WANTS_0 != 0u) ms_store4(y0, i, count, DTYPE, vec4(x.first, y.first, z.first, w.first));
        if (WANTS_1 != 0u) ms_store4(y1, i, count, DTYPE, vec4(x.second, y.second, z.second, w.second));
#endif
    }
}
