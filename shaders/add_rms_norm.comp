#version 460
#extension GL_GOOGLE_include_directive : require
// add_rms_norm: s = x0 + x1, then y, rstd = rms_norm(s, gain) per row; s may be x0 and y may be x1.  Definition:
// backend/cpu/add_rms_norm.c.  What is normalised is the sum before its rounding to bf16.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"

layout(constant_id = 7) const uint WANT_SUM = 1u;
layout(constant_id = 8) const uint WANT_Y = 1u;
layout(constant_id = 9) const uint WANT_RSTD = 1u;
const bool NORMALISE = WANT_Y != 0u || WANT_RSTD != 0u;

layout(push_constant) uniform Push {
    F32 x0, x1, gain, sum, y, rstd;
    uint rows;
    float inverse_count, epsilon;
};

vec4 kept[KEPT]; // s
float scale;     // rstd of this row

vec4 sum4(uint i) {
    precise vec4 value = ms_row_load4(x0, i, DTYPE) + ms_row_load4(x1, i, DTYPE);
    return value;
}

vec4 ms_row_term(uint i, uint k) {
    vec4 value = sum4(i);
    if (k < KEPT) kept[k] = value;
    precise vec4 square = value * value;
    return square;
}

void ms_row_result(uint i, uint k) {
    vec4 value = k < KEPT && NORMALISE ? kept[k] : sum4(i);
    if (WANT_SUM != 0u) ms_row_store4(sum, i, DTYPE, value);
    if (WANT_Y != 0u) ms_row_store4(y, i, DTYPE, ms_norm_apply(value, ms_norm_gain4(gain, i), scale));
}

void main() {
    uint row = ms_row();
    if (NORMALISE) {
        if (WANT_Y != 0u) ms_norm_share_gain(gain);
        scale = ms_norm_rstd(ms_row_sum(row < rows), inverse_count, epsilon);
    }
    if (row >= rows) return;
    if (WANT_RSTD != 0u && ms_row_is_first()) rstd.x[row] = scale;
    if (WANT_SUM != 0u || WANT_Y != 0u) ms_row_results();
}
