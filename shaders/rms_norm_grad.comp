#version 460
#extension GL_GOOGLE_include_directive : require
// rms_norm_grad, dx: per row s = mean((dy gain) (x rstd)), dx = acc + ((dy gain) - (x rstd) s) rstd; dx may be acc.  Definition:
// backend/cpu/rms_norm_grad.c.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"

layout(constant_id = 7) const uint HAS_ACC = 0u;

layout(push_constant) uniform Push {
    F32 x, gain, rstd, dy, acc, dx;
    uint rows;
    float inverse_count;
};

float row_rstd; // of this row

vec4 x4(uint i) { return ms_row_load4(x, i, DTYPE); }
vec4 dy4(uint i) { return ms_row_load4(dy, i, DTYPE); }
vec4 gain4(uint i) { return ms_load4(gain, i, COLUMNS, MS_F32); }

vec4 ms_row_term(uint i) { return ms_norm_term(x4(i), gain4(i), dy4(i), row_rstd); }

void main() {
    uint row = ms_row();
    row_rstd = row < rows ? rstd.x[row] : 0.0;
    precise float s = ms_row_sum(row < rows) * inverse_count;
    if (row >= rows) return;
    for (uint i = ms_row_begin(); i < COLUMNS; i += ms_row_stride()) {
        precise vec4 value = ms_norm_gradient(x4(i), gain4(i), dy4(i), row_rstd, s);
        if (HAS_ACC != 0u) value = ms_row_load4(acc, i, DTYPE) + value;
        ms_row_store4(dx, i, DTYPE, value);
    }
}
