#version 460
#extension GL_GOOGLE_include_directive : require
// qk_norm_rope: per head, a row here, RMS norm with gain when NORMALISE, then rotary embedding; y may be x.  Definition:
// backend/cpu/qk_norm_rope.c.  Each pair of the rotation is read and written by one invocation, after a barrier.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#include "shaders/norm.glsl"

layout(constant_id = 7) const uint NORMALISE = 1u;
layout(constant_id = 8) const uint INTERLEAVED = 0u;
layout(constant_id = 9) const uint WANT_Y = 1u;
layout(constant_id = 10) const uint WANT_RSTD = 1u;
layout(constant_id = 11) const uint HEADS = 1u;
layout(constant_id = 12) const uint SEQUENCE = 1u;

layout(push_constant) uniform Push {
    F32 x, table, gain, y, rstd;
    uint rows;
    float inverse_count, epsilon;
};

const uint HALF = COLUMNS / 2u;
// Heads of moderate size wait in shared memory for the rotation; others are read again.
const bool STAGED = !ALONE && VECTOR != 0u && NORMALISE != 0u && COLUMNS <= 128u;
shared vec4 staged[STAGED ? gl_WorkGroupSize.x / MS_QUADS * COLUMNS / 4u : 1u];

float scale; // rstd of this row

uint staged_index(uint i) { return (gl_LocalInvocationID.x / MS_QUADS * COLUMNS + i) / 4u; }

vec4 ms_row_term(uint i, uint k) {
    vec4 value = ms_row_load4(x, i, DTYPE);
    if (STAGED) staged[staged_index(i)] = value;
    precise vec4 square = value * value;
    return square;
}

// Numbers i to i + 3 of the head as they go into the rotation.
vec4 rotated4(uint i) {
    vec4 value = STAGED ? staged[staged_index(i)] : ms_row_load4(x, i, DTYPE);
    if (NORMALISE == 0u) return value;
    return ms_norm_apply(value, VECTOR != 0u ? ms_norm_gain4(gain, i) : ms_load4(gain, i, COLUMNS, MS_F32), scale);
}

// Pairs k to k + 3.
void rotate(uint k) {
    uint first = ms_row() * COLUMNS, angles = ms_row() / HEADS % SEQUENCE * COLUMNS;
    vec4 cosine = ms_load4(table, angles + k, angles + HALF, MS_F32), sine = ms_load4(table, angles + HALF + k, angles + COLUMNS, MS_F32);
    vec4 p = rotated4(INTERLEAVED != 0u ? 2u * k : k), q = rotated4(INTERLEAVED != 0u ? 2u * k + 4u : k + HALF);
    vec4 a = INTERLEAVED != 0u ? vec4(p.xz, q.xz) : p, b = INTERLEAVED != 0u ? vec4(p.yw, q.yw) : q;
    precise vec4 turned_a = a * cosine - b * sine;
    precise vec4 turned_b = a * sine + b * cosine;
    if (INTERLEAVED != 0u) {
        ms_store4(y, first + 2u * k, first + COLUMNS, DTYPE, vec4(turned_a.x, turned_b.x, turned_a.y, turned_b.y));
        ms_store4(y, first + 2u * k + 4u, first + COLUMNS, DTYPE, vec4(turned_a.z, turned_b.z, turned_a.w, turned_b.w));
    } else {
        ms_store4(y, first + k, first + HALF, DTYPE, turned_a);
        ms_store4(y, first + HALF + k, first + COLUMNS, DTYPE, turned_b);
    }
}

void main() {
    uint row = ms_row();
    scale = 1.0;
    if (NORMALISE != 0u) {
        if (WANT_Y != 0u) ms_norm_share_gain(gain);
        scale = ms_norm_rstd(ms_row_sum(row < rows), inverse_count, epsilon);
    }
    if (row >= rows) return;
    if (WANT_RSTD != 0u && ms_row_is_first()) rstd.x[row] = scale;
    if (WANT_Y == 0u) return;
    if (ALONE) {
        for (uint k = 0u; k < HALF; k += 4u) rotate(k);
    } else {
        for (uint k = 4u * ms_quad(); k < HALF; k += 4u * MS_QUADS) rotate(k);
    }
}
