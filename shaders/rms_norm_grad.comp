#version 460
#extension GL_GOOGLE_include_directive : require
// rms_norm_grad, dx: per row s = mean((dy gain) (x rstd)), dx = acc + ((dy gain) - (x rstd) s) rstd; dx may be acc.  Definition:
// backend/cpu/rms_norm_grad.c.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"
#include "shaders/norm_grad.glsl"

layout(constant_id = 7) const uint HAS_ACC = 0u;

layout(push_constant) uniform Push {
    F32 x, gain, rstd, dy, acc, dx;
    uint rows;
    float inverse_count;
};

vec4 kept_n[KEPT], kept_t[KEPT]; // x rstd, dy gain
float row_rstd, s;               // of this row

vec4 n4(uint i) {
    precise vec4 n = ms_row_load4(x, i, DTYPE) * row_rstd;
    return n;
}

vec4 t4(uint i) {
    precise vec4 t = ms_row_load4(dy, i, DTYPE) * ms_norm_gain4(gain, i);
    return t;
}

vec4 ms_row_term(uint i, uint k) {
    vec4 n = n4(i), t = t4(i);
    if (k < KEPT) kept_n[k] = n, kept_t[k] = t;
    return ms_norm_grad_term(n, t);
}

void ms_row_result(uint i, uint k) {
    vec4 n = k < KEPT ? kept_n[k] : n4(i), t = k < KEPT ? kept_t[k] : t4(i);
    precise vec4 value = ms_norm_grad_result(n, t, s, row_rstd);
    if (HAS_ACC != 0u) value = ms_row_load4(acc, i, DTYPE) + value;
    ms_row_store4(dx, i, DTYPE, value);
}

void main() {
    uint row = ms_row();
    ms_norm_share_gain(gain);
    if (!ALONE) barrier();
    row_rstd = row < rows ? rstd.x[row] : 0.0;
    precise float mean = ms_row_sum(row < rows) * inverse_count;
    s = mean;
    if (row < rows) ms_row_results();
}
