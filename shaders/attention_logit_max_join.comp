#version 460
#extension GL_GOOGLE_include_directive : require
// The end of attention_logit_max: y[head], the largest of the n numbers of each head in `found`.  A workgroup, whose size is a power of
// two, for each head.
#include "shaders/common.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

layout(push_constant) uniform Push {
    F32 found, y;
    uint n;
};

shared float largest[gl_WorkGroupSize.x];

void main() {
    uint at = gl_LocalInvocationID.x;
    float mine = uintBitsToFloat(0xff800000u);
    for (uint i = at; i < n; i += gl_WorkGroupSize.x) mine = ms_formula_maximum(mine, found.x[gl_WorkGroupID.x * n + i]);
    largest[at] = mine;
    barrier();
    for (uint distance = gl_WorkGroupSize.x / 2u; distance > 0u; distance /= 2u) {
        if (at < distance) largest[at] = ms_formula_maximum(largest[at], largest[at + distance]);
        barrier();
    }
    if (at == 0u) y.x[gl_WorkGroupID.x] = largest[0];
}
