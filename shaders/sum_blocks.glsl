// The first level: sums of the blocks of 4096 of every part, block after block.
#include "shaders/sums.glsl"

layout(push_constant) uniform Push {
    F32 x, y;
    uint n_sums;
    uint begin[5], first_block[5]; // of each part within a matrix, and of the next matrix
};

void write_block_sum() {
    uint i = ms_sum_index(), matrix = i / first_block[PARTS], block = i % first_block[PARTS], p = 0u;
    while (p + 1u < PARTS && block >= first_block[p + 1u]) p++;
    uint from = begin[p] + (block - first_block[p]) * MS_REDUCE_BLOCK, to = min(from + MS_REDUCE_BLOCK, begin[p + 1u]);
    if (i >= n_sums) from = to = 0u;
    uint offset = matrix * begin[PARTS];
    float sum = ms_block_sum(offset + from, offset + to);
    if (i < n_sums && ms_quad() == 0u) y.x[i] = sum;
}
