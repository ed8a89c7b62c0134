#version 460
#extension GL_GOOGLE_include_directive : require
// sum: sums of blocks of 4096; sum_levels.comp goes on.  Definition: backend/cpu/sum.c.
#include "shaders/common.glsl"
#include "shaders/sum_blocks.glsl"

vec4 ms_sum_term(uint i, uint end) { return ms_load4(x, i, end, DTYPE); }

void main() { write_block_sum(); }
