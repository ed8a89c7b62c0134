#version 460
#extension GL_GOOGLE_include_directive : require
// A level of sums over rows (columns.glsl) whose terms are numbers x [rows,COLUMNS].
#include "shaders/common.glsl"
#include "shaders/columns.glsl"

layout(push_constant) uniform Push {
    F32 x, y;
    uint rows;
};

vec4 ms_column_term(uint row, uint i) { return ms_column_load4(x, row, i, MS_F32); }

void main() { ms_column_sums(y, rows); }
