#version 460
#extension GL_GOOGLE_include_directive : require
// The second step of cached_attention: weights exp(s - m) in place of the scores, and 1 / their sum.  A workgroup of 32 invocations, the
// lanes of the reduction rule, for each query and head.
#include "shaders/common.glsl"
#include "shaders/cached_attention.glsl"
#define MS_REDUCE_BY_LANE
#include "shaders/reduce.glsl"

layout(push_constant) uniform Push {
    F32 scores;
    I32 rows;
    F32 inverse;
    CACHE_SIZES;
};

shared float maxima[gl_WorkGroupSize.x];

uint row_at; // score 0 of the row
float maximum;

float larger(float a, float b) { return b > a ? b : a; }

float take_weight(uint key) {
    PRECISE float below = scores.x[row_at + key] - maximum;
    float weight = ms_exp(below);
    scores.x[row_at + key] = weight;
    return weight;
}

// The sum of n weights, which take the places of their scores.
float take_weights(uint n) {
    float level = MS_ABSENT, total = MS_ABSENT;
    for (uint begin = 0u; begin < n; begin += MS_REDUCE_BLOCK) {
        float sum = MS_ABSENT;
        MS_ADD_LANE(sum, begin, min(n, begin + MS_REDUCE_BLOCK), take_weight(i));
        total = ms_lane_tree(sum);
        ms_level_add(level, total, begin / MS_REDUCE_BLOCK);
    }
    if (n > MS_REDUCE_BLOCK) total = ms_lane_tree(level);
    return total;
}

void main() {
    uint query_head = ms_group_index();
    if (query_head >= n_groups) return;
    uint n = keys_of(rows.x[query_head / heads], sequence, cache_rows);
    if (n == 0u) return;
    row_at = query_head * sequence;
    maximum = uintBitsToFloat(0xff800000u);
    for (uint j = gl_LocalInvocationID.x; j < n; j += gl_WorkGroupSize.x) maximum = larger(maximum, scores.x[row_at + j]);
    maxima[gl_LocalInvocationID.x] = maximum;
    barrier();
    for (uint l = 0u; l < gl_WorkGroupSize.x; l++) maximum = larger(maximum, maxima[l]);
    float sum = take_weights(n);
    if (gl_LocalInvocationID.x == 0u) inverse.x[query_head] = ms_reciprocal(sum);
}
