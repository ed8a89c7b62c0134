#version 460
#extension GL_GOOGLE_include_directive : require
// rms_norm: rstd = rsqrt(mean(x^2) + epsilon), y = (x rstd) gain per row; y may be x.  Definition: backend/cpu/rms_norm.c.
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

vec4 kept[KEPT]; // x
float scale;     // rstd of this row

vec4 ms_row_term(uint i, uint k) {
    vec4 value = ms_row_load4(x, i, DTYPE);
    if (k < KEPT) kept[k] = value;
    precise vec4 square = value * value;
    return square;
}

void ms_row_result(uint i, uint k) {
    vec4 value = k < KEPT ? kept[k] : ms_row_load4(x, i, DTYPE);
    ms_row_store4(y, i, DTYPE, ms_norm_apply(value, ms_norm_gain4(gain, i), scale));
}

void main() {
    uint row = ms_row();
    if (WANT_Y != 0u) ms_norm_share_gain(gain);
    scale = ms_norm_rstd(ms_row_sum(row < rows), inverse_count, epsilon);
    if (row >= rows) return;
    if (WANT_RSTD != 0u && ms_row_is_first()) rstd.x[row] = scale;
    if (WANT_Y != 0u) ms_row_results();
}
