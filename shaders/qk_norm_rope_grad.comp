#version 460
#extension GL_GOOGLE_include_directive : require
// qk_norm_rope_grad, dx: per head, a row here, du = transposed rotation of dy; dx = RMS-norm gradient of du when NORMALISE, else du.
// Definition: backend/cpu/qk_norm_rope_grad.c.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"
#include "shaders/norm_grad.glsl"

layout(constant_id = 7) const uint NORMALISE = 1u;
layout(constant_id = 8) const uint INTERLEAVED = 0u;
layout(constant_id = 9) const uint HEADS = 1u;
layout(constant_id = 10) const uint SEQUENCE = 1u;

#include "shaders/rope.glsl"

layout(push_constant) uniform Push {
    F32 x, table, rstd, dy, gain, dx;
    uint rows;
    float inverse_count;
};

vec4 kept_n[KEPT], kept_t[KEPT]; // x rstd, du gain
float row_rstd, s;               // of this row

vec4 du4(uint i) {
    uint row = ms_row();
    return ms_rope_transposed4(dy, row * COLUMNS, table, row / HEADS % SEQUENCE * COLUMNS, i);
}

vec4 n4(uint i) {
    precise vec4 n = ms_row_load4(x, i, DTYPE) * row_rstd;
    return n;
}

vec4 t4(uint i) {
    precise vec4 t = du4(i) * ms_norm_gain4(gain, i);
    return t;
}

vec4 ms_row_term(uint i, uint k) {
    vec4 n = n4(i), t = t4(i);
    if (k < KEPT) kept_n[k] = n, kept_t[k] = t;
    return ms_norm_grad_term(n, t);
}

void ms_row_result(uint i, uint k) {
    vec4 value;
    if (NORMALISE != 0u) {
        value = ms_norm_grad_result(k < KEPT ? kept_n[k] : n4(i), k < KEPT ? kept_t[k] : t4(i), s, row_rstd);
    } else {
        value = du4(i);
    }
    ms_row_store4(dx, i, DTYPE, value);
}

void main() {
    uint row = ms_row();
    if (NORMALISE != 0u) {
        ms_norm_share_gain(gain);
        if (!ALONE) barrier();
        row_rstd = row < rows ? rstd.x[row] : 0.0;
        precise float mean = ms_row_sum(row < rows) * inverse_count;
        s = mean;
    }
    if (row < rows) ms_row_results();
}
