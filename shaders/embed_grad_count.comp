#version 460
#extension GL_GOOGLE_include_directive : require
// embed_grad, first step: see embed_grad.glsl.
#include "shaders/common.glsl"
#include "shaders/embed_grad.glsl"

layout(push_constant) uniform Push {
    I32 index;
    Words counts, arrivals, fault;
    uint n_tokens, vocabulary, node;
};

void main() {
    uint n = ms_group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (n >= n_tokens) return;
    int id = index.x[n];
    if (!is_row(id, vocabulary)) {
        ms_report_fault(fault, node, id);
        return;
    }
    arrivals.x[n] = atomicAdd(counts.x[id], 1u);
}
