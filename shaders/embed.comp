#version 460
#extension GL_GOOGLE_include_directive : require
// embed: y[n,:] = scale table[index[n],:].  A workgroup's x covers columns, its y tokens.  An index outside of [0, vocabulary) is
// reported, and its row is left as it is.  Definition: backend/cpu/embed.c.
#include "shaders/common.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u;
#include "shaders/quads.glsl"

layout(push_constant) uniform Push {
    F32 table;
    I32 index;
    F32 y;
    Words fault;
    float scale;
    uint n_tokens, columns, vocabulary, node;
};

void main() {
    uint n = ms_group_index() * gl_WorkGroupSize.y + gl_LocalInvocationID.y;
    if (n >= n_tokens) return;
    int id = index.x[n];
    if (id < 0 || uint(id) >= vocabulary) {
        ms_report_fault(fault, node, id);
        return;
    }
    uint from = uint(id) * columns, to = n * columns;
    for (uint c = 4u * gl_LocalInvocationID.x; c < columns; c += 4u * gl_WorkGroupSize.x) {
        precise vec4 value = scale * ms_load4(table, from + c, from + columns, MS_F32);
        ms_store4(y, to + c, to + columns, MS_F32, value);
    }
}
