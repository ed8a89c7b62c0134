#version 460
#extension GL_GOOGLE_include_directive : require
// rms_norm_grad, dgain: sum over rows of dy (x rstd).  Definition: backend/cpu/rms_norm_grad.c.
#include "shaders/common.glsl"
#include "shaders/columns.glsl"

layout(push_constant) uniform Push {
    F32 x, rstd, dy, y;
    uint rows;
};

vec4 ms_column_term(uint row, uint i) {
    precise vec4 term = ms_column_load4(dy, row, i, DTYPE) * (ms_column_load4(x, row, i, DTYPE) * rstd.x[row]);
    return term;
}

void main() { ms_column_sums(y, rows); }
