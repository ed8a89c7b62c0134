#version 460
#extension GL_GOOGLE_include_directive : require
// A level of sums over rows (columns.glsl) whose terms are numbers x [rows,COLUMNS].
#include "shaders/common.glsl"
#include "shaders/columns.glsl"

layout(push_constant) uniform Push {
    F32 x, y;
    uint rows;
};

float ms_column_term(uint row, uint column) { return x.x[row * COLUMNS + column]; }

void main() { ms_column_sums(y, rows); }
