#version 460
#extension GL_GOOGLE_include_directive : require
// embed_grad, last step: see embed_grad.glsl.  A workgroup's x covers columns, its y rows of the table; y may be acc.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u;
layout(constant_id = 4) const uint DY_DTYPE = MS_F32;
layout(constant_id = 5) const uint HAS_ACC = 0u;
layout(constant_id = 6) const uint IN_PLACE = 0u;
#include "shaders/quads.glsl"

layout(push_constant) uniform Push {
    Words counts, begins, tokens;
    F32 dy, acc, y;
    float scale;
    uint columns, vocabulary;
};

vec4 term(uint i, uint c) {
    uint row = tokens.x[i] * columns;
    return ms_load4(dy, row + c, row + columns, DY_DTYPE);
}

// Ascending, of which eight tokens are loaded before the first is added: a common token's sum is one long chain.
vec4 sum_of_tokens(uint begin, uint count, uint c) {
    precise vec4 sum = term(begin, c);
    uint i = begin + 1u, end = begin + count;
    for (; i + 8u <= end; i += 8u) {
        vec4 t0 = term(i, c), t1 = term(i + 1u, c), t2 = term(i + 2u, c), t3 = term(i + 3u, c);
        vec4 t4 = term(i + 4u, c), t5 = term(i + 5u, c), t6 = term(i + 6u, c), t7 = term(i + 7u, c);
        sum = sum + t0;
        sum = sum + t1;
        sum = sum + t2;
        sum = sum + t3;
        sum = sum + t4;
        sum = sum + t5;
        sum = sum + t6;
        sum = sum + t7;
    }
    for (; i < end; i++) sum = sum + term(i, c);
    return sum;
}

void main() {
    uint v = ms_group_index() * gl_WorkGroupSize.y + gl_LocalInvocationID.y;
    if (v >= vocabulary) return;
    uint count = counts.x[v], begin = 0u, to = v * columns;
    if (count > 0u) {
        begin = begins.x[v];
    } else if (IN_PLACE != 0u) {
        return;
    }
    for (uint c = 4u * gl_LocalInvocationID.x; c < columns; c += 4u * gl_WorkGroupSize.x) {
        precise vec4 value = vec4(0.0), old = vec4(0.0);
        if (HAS_ACC != 0u) old = ms_load4(acc, to + c, to + columns, MS_F32);
        if (count > 0u) {
            value = scale * sum_of_tokens(begin, count, c);
            if (HAS_ACC != 0u) value = old + value;
        } else {
            value = old;
        }
        ms_store4(y, to + c, to + columns, MS_F32, value);
    }
}
