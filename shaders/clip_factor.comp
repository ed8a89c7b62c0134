#version 460
#extension GL_GOOGLE_include_directive : require
// clip_factor: y = {norm, factor}: norm = sqrt(sum(x)), factor = max_norm / (norm + 1e-6), at most 1 (a NaN stays).  One workgroup of
// 32 invocations.  Definition: backend/cpu/clip_factor.c.
#include "shaders/common.glsl"
#define MS_EXACT_GLSL
#include "backend/exact.h"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
#define MS_REDUCE_BY_LANE
#include "shaders/reduce.glsl"

layout(push_constant) uniform Push {
    F32 x, y;
    float max_norm;
    uint count; // at most 4096^2
};

void main() {
    float level = MS_ABSENT;
    for (uint begin = 0u; begin < count; begin += MS_REDUCE_BLOCK) {
        float sum = MS_ABSENT;
        MS_ADD_LANE(sum, begin, min(count, begin + MS_REDUCE_BLOCK), x.x[i]);
        ms_level_add(level, ms_lane_tree(sum), begin / MS_REDUCE_BLOCK);
    }
    float norm = ms_sqrt(ms_lane_tree(level));
    precise float divisor = norm + 1e-6;
    float factor = ms_div(max_norm, divisor);
    uint bits = floatBitsToUint(factor);
    if (bits > 0x3f800000u && bits <= 0x7f800000u) factor = 1.0; // above 1, and not NaN
    if (gl_LocalInvocationIndex == 0u) {
        y.x[0] = norm;
        y.x[1] = factor;
    }
}
