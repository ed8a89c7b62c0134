#version 460
#extension GL_GOOGLE_include_directive : require
// qk_norm_rope_grad, dgain: sum over tokens and heads, the rows here, of du (x rstd), du = transposed rotation of dy.  Definition:
// backend/cpu/qk_norm_rope_grad.c.
#include "shaders/common.glsl"
#include "shaders/columns.glsl"

layout(constant_id = 6) const uint INTERLEAVED = 0u;
layout(constant_id = 7) const uint HEADS = 1u;
layout(constant_id = 8) const uint SEQUENCE = 1u;

#include "shaders/rope.glsl"

layout(push_constant) uniform Push {
    F32 x, table, rstd, dy, y;
    uint rows;
};

vec4 ms_column_term(uint row, uint i) {
    vec4 du = ms_rope_transposed4(dy, row * COLUMNS, table, row / HEADS % SEQUENCE * COLUMNS, i);
    precise vec4 term = du * (ms_column_load4(x, row, i, DTYPE) * rstd.x[row]);
    return term;
}

void main() { ms_column_sums(y, rows); }
