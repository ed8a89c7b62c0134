#version 460
#extension GL_GOOGLE_include_directive : require
// embed_grad, second step: see embed_grad.glsl.  The first token of each row takes a part of the list for all.
#include "shaders/common.glsl"
#include "shaders/embed_grad.glsl"

layout(push_constant) uniform Push {
    I32 index;
    Words counts, arrivals, begins;
    uint n_tokens, vocabulary;
};

void main() {
    uint n = ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (n >= n_tokens) return;
    int id = index.x[n];
    if (is_row(id, vocabulary) && arrivals.x[n] == 0u) begins.x[id] = atomicAdd(counts.x[vocabulary], counts.x[id]);
}
