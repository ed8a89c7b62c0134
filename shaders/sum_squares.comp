#version 460
#extension GL_GOOGLE_include_directive : require
// sum_squares: sums of squares of blocks of 4096; sum_levels.comp goes on.  Definition: backend/cpu/sum_squares.c.
#include "shaders/common.glsl"
#include "shaders/sum_blocks.glsl"

vec4 ms_sum_term(uint i, uint end) {
    vec4 value = ms_load4(x, i, end, DTYPE);
    precise vec4 square = value * value;
    return square;
}

void main() { write_block_sum(); }
