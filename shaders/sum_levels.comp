#version 460
#extension GL_GOOGLE_include_directive : require
// The further levels of sum and sum_squares: every part's block sums to one number; a part without blocks gives 0.
#include "shaders/common.glsl"
#include "shaders/sums.glsl"

layout(push_constant) uniform Push {
    F32 x, y;
    uint n_sums;
    uint first_block[5];
};

vec4 ms_sum_term(uint i, uint end) { return ms_load4(x, i, end, MS_F32); }

void main() {
    uint i = ms_sum_index(), p = i % PARTS, most = 0u;
    uint begin = i / PARTS * first_block[PARTS] + first_block[p], end = i < n_sums ? begin + first_block[p + 1u] - first_block[p] : begin;
    for (uint q = 0u; q < PARTS; q++) most = max(most, first_block[q + 1u] - first_block[q]);
    vec4 level = MS_ABSENT4;
    for (uint first = 0u; first < most; first += MS_REDUCE_BLOCK) // equally often in every invocation
        ms_level4_add(level, ms_block_sum(min(begin + first, end), min(begin + first + MS_REDUCE_BLOCK, end)), first / MS_REDUCE_BLOCK);
    float sum = ms_quad_tree(level);
    if (i < n_sums && ms_quad() == 0u) y.x[i] = begin < end ? sum : 0.0;
}
