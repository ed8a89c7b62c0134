// RMS norm and its gradient over rows, four numbers at a time: see backend/cpu/norm.h.  Include after rows.glsl.
#define MS_EXACT_GLSL
#include "backend/exact.h"

// The gain is shared by the rows of a workgroup when it is not too long.
const uint MS_GAIN_MAX = 2048u;
const bool MS_GAIN_SHARED = !ALONE && COLUMNS <= MS_GAIN_MAX;
shared vec4 ms_gain[MS_GAIN_SHARED ? (COLUMNS + 3u) / 4u : 1u];

// Every invocation calls this before ms_row_sum, whose barrier makes the gain known to all.
void ms_norm_share_gain(F32 gain) {
    if (!MS_GAIN_SHARED) return;
    for (uint i = gl_LocalInvocationID.x; i * 4u < COLUMNS; i += gl_WorkGroupSize.x) ms_gain[i] = ms_load4(gain, i * 4u, COLUMNS, MS_F32);
}

// Gains i to i + 3, after ms_row_sum.
vec4 ms_norm_gain4(F32 gain, uint i) { return MS_GAIN_SHARED ? ms_gain[i / 4u] : ms_load4(gain, i, COLUMNS, MS_F32); }

// rsqrt(sum of squares (1/C) + epsilon)
float ms_norm_rstd(float sum_squares, float inverse_count, float epsilon) {
    precise float mean = sum_squares * inverse_count + epsilon;
    return ms_rsqrt(mean);
}

vec4 ms_norm_apply(vec4 x, vec4 gain, float rstd) {
    precise vec4 y = (x * rstd) * gain;
    return y;
}
