#version 460
#extension GL_GOOGLE_include_directive : require
// cross_entropy: per row x of logits m = max(x), p = exp(x - m), l = sum(p), loss = (m + log l) - x[target], dlogits = scale (p / l) and at
// the target scale (p / l - 1); target -1: both 0; dlogits may be logits, if f32.  Definition: backend/cpu/cross_entropy.c.  What does not stay
// in registers is read three times, from a cache on most devices, and its exponentials are formed twice.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"
#define MS_EXACT_GLSL
#include "backend/exact.h"

layout(constant_id = 7) const uint WANT_LOSSES = 1u;
layout(constant_id = 8) const uint WANT_GRADIENT = 1u;
layout(constant_id = 9) const uint DTYPE_GRADIENT = MS_F32;

layout(push_constant) uniform Push {
    F32 logits;
    I32 targets;
    F32 losses, dlogits;
    Words fault;
    uint rows;
    float scale;
    uint node;
};

const uint ROW_STRIDE = 4u * ROW_INVOCATIONS; // numbers
#define MINUS_INFINITY uintBitsToFloat(0xff800000u)

shared float maxima[gl_WorkGroupSize.x];
shared float group_maxima[gl_WorkGroupSize.x / MS_QUADS];

vec4 kept[KEPT]; // x, then p
float m, inverse;
uint target; // COLUMNS: none

float larger(float a, float b) { return a > b ? a : b; }

// The largest of numbers i to i + 3, those that exist.  A NaN may be lost, but comes back through the sum.
float quad_maximum(vec4 x, uint i) {
    if (VECTOR != 0u) return larger(larger(x.x, x.y), larger(x.z, x.w));
    float maximum = x.x;
    if (i + 1u < COLUMNS) maximum = larger(x.y, maximum);
    if (i + 2u < COLUMNS) maximum = larger(x.z, maximum);
    if (i + 3u < COLUMNS) maximum = larger(x.w, maximum);
    return maximum;
}

// The maximum of this invocation's share of the row.
float own_maximum(uint columns) {
    float maximum = MINUS_INFINITY;
    uint i = gl_LocalInvocationID.x % ROW_INVOCATIONS * 4u;
    if (KEEP) {
        for (uint k = 0u; k < KEPT; k++)
            if (i + k * MS_LANES < columns) {
                kept[k] = ms_row_load4(logits, i + k * MS_LANES, MS_F32);
                maximum = larger(quad_maximum(kept[k], i + k * MS_LANES), maximum);
            }
        i += KEPT * MS_LANES;
    }
    for (; i < columns; i += ROW_STRIDE) maximum = larger(quad_maximum(ms_row_load4(logits, i, MS_F32), i), maximum);
    return maximum;
}

// The maximum of the row, in all its invocations.  Every invocation calls it.
float row_maximum(bool has_row) {
    maxima[gl_LocalInvocationID.x] = own_maximum(has_row ? COLUMNS : 0u);
    barrier();
    uint first = gl_LocalInvocationID.x & ~7u, group = gl_LocalInvocationID.x / MS_QUADS;
    float maximum = maxima[first];
    for (uint q = 1u; q < MS_QUADS; q++) maximum = larger(maxima[first + q], maximum);
    if (GROUPS == 1u) return maximum;
    group_maxima[group] = maximum;
    barrier();
    for (uint g = 0u; g < GROUPS; g++) maximum = larger(group_maxima[group - group % GROUPS + g], maximum);
    return maximum;
}

vec4 exponential4(vec4 x) {
    precise vec4 d = x - m;
    return vec4(ms_exp(d.x), ms_exp(d.y), ms_exp(d.z), ms_exp(d.w));
}

vec4 ms_row_term(uint i, uint k) {
    vec4 p = exponential4(k < KEPT ? kept[k] : ms_row_load4(logits, i, MS_F32));
    if (k < KEPT) kept[k] = p;
    return p;
}

void ms_row_result(uint i, uint k) {
    precise vec4 value = vec4(0.0);
    if (target < COLUMNS) {
        value = (k < KEPT ? kept[k] : exponential4(ms_row_load4(logits, i, MS_F32))) * inverse;
        if (target - i < 4u) { // wraps around when the target is before
            precise vec4 less = value - 1.0;
            uint at = target - i;
            value = vec4(at == 0u ? less.x : value.x, at == 1u ? less.y : value.y, at == 2u ? less.z : value.z, at == 3u ? less.w : value.w);
        }
        value = scale * value;
    }
    ms_row_store4(dlogits, i, DTYPE_GRADIENT, value);
}

// The row's target, or COLUMNS when it has none.  One out of range is reported.
uint row_target(uint row) {
    if (row >= rows) return COLUMNS;
    int index = targets.x[row];
    if (index >= 0 && uint(index) < COLUMNS) return uint(index);
    if (index != -1 && ms_row_is_first()) ms_report_fault(fault, node, index);
    return COLUMNS;
}

void main() {
    uint row = ms_row();
    target = row_target(row);
    bool has_target = target < COLUMNS;
    float x_target = has_target ? logits.x[row * COLUMNS + target] : 0.0;
    memoryBarrierBuffer(); // read before another invocation writes dlogits there
    m = row_maximum(has_target);
    float l = ms_row_sum(has_target);
    if (row >= rows) return;
    if (WANT_LOSSES != 0u && ms_row_is_first()) {
        precise float loss = (m + ms_log(l)) - x_target;
        losses.x[row] = has_target ? loss : 0.0;
    }
    inverse = ms_reciprocal(l);
    if (WANT_GRADIENT != 0u) ms_row_results();
}
