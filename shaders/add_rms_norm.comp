#version 460
#extension GL_GOOGLE_include_directive : require
// add_rms_norm: s = x0 + x1, then y, rstd = rms_norm(s, gain) per row; s may be x0 and y may be x1.  Definition:
// backend/cpu/add_rms_norm.c.  s is formed twice, since as bf16 in memory it would be rounded, and its inputs come from a cache.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"

layout(constant_id = 7) const uint WANT_SUM = 1u;
layout(constant_id = 8) const uint WANT_Y = 1u;
layout(constant_id = 9) const uint WANT_RSTD = 1u;

layout(push_constant) uniform Push {
    F32 x0, x1, gain, sum, y, rstd;
    uint rows;
    float inverse_count, epsilon;
};

vec4 sum4(uint i) {
    precise vec4 value = ms_row_load4(x0, i, DTYPE) + ms_row_load4(x1, i, DTYPE);
    return value;
}

vec4 ms_row_term(uint i) {
    vec4 value = sum4(i);
    precise vec4 square = value * value;
    return square;
}

void main() {
    uint row = ms_row();
    float scale = 0.0;
    if (WANT_Y != 0u || WANT_RSTD != 0u) scale = ms_norm_rstd(ms_row_sum(row < rows), inverse_count, epsilon);
    if (row >= rows) return;
    if (WANT_RSTD != 0u && ms_row_begin() == 0u) rstd.x[row] = scale;
    if (WANT_SUM == 0u && WANT_Y == 0u) return;
    for (uint i = ms_row_begin(); i < COLUMNS; i += ms_row_stride()) {
        vec4 value = sum4(i);
        if (WANT_SUM != 0u) ms_row_store4(sum, i, DTYPE, value);
        if (WANT_Y != 0u) ms_row_store4(y, i, DTYPE, ms_norm_apply(value, ms_load4(gain, i, COLUMNS, MS_F32), scale));
    }
}
