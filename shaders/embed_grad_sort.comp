#version 460
#extension GL_GOOGLE_include_directive : require
// embed_grad, fourth step: see embed_grad.glsl.
#include "shaders/common.glsl"
#include "shaders/embed_grad.glsl"

layout(push_constant) uniform Push {
    I32 index;
    Words counts, begins, list, tokens;
    uint n_tokens, vocabulary;
};

void main() {
    uint n = ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (n >= n_tokens) return;
    int id = index.x[n];
    if (!is_row(id, vocabulary)) return;
    uint begin = begins.x[id], end = begin + counts.x[id], place = begin;
    uint i = begin;
    for (; i + 4u <= end; i += 4u) { // four loads on the way
        uvec4 others = uvec4(list.x[i], list.x[i + 1u], list.x[i + 2u], list.x[i + 3u]);
        uvec4 less = uvec4(lessThan(others, uvec4(n)));
        place += less.x + less.y + less.z + less.w;
    }
    for (; i < end; i++) place += list.x[i] < n ? 1u : 0u;
    tokens.x[place] = n;
}
