#version 460
#extension GL_GOOGLE_include_directive : require
// rms_norm: rstd = rsqrt(mean(x^2) + epsilon), y = (x rstd) gain per row; y may be x.  Definition: backend/cpu/rms_norm.c.  The second
// reading of a row comes from a cache.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"

layout(constant_id = 7) const uint WANT_Y = 1u;
layout(constant_id = 8) const uint WANT_RSTD = 1u;

layout(push_constant) uniform Push {
    F32 x, gain, y, rstd;
    uint rows;
    float inverse_count, epsilon;
};

vec4 ms_row_term(uint i) {
    vec4 value = ms_row_load4(x, i, DTYPE);
    precise vec4 square = value * value;
    return square;
}

void main() {
    uint row = ms_row();
    float scale = ms_norm_rstd(ms_row_sum(row < rows), inverse_count, epsilon);
    if (row >= rows) return;
    if (WANT_RSTD != 0u && ms_row_begin() == 0u) rstd.x[row] = scale;
    if (WANT_Y == 0u) return;
    for (uint i = ms_row_begin(); i < COLUMNS; i += ms_row_stride()) {
        vec4 value = ms_norm_apply(ms_row_load4(x, i, DTYPE), ms_load4(gain, i, COLUMNS, MS_F32), scale);
        ms_row_store4(y, i, DTYPE, value);
    }
}
