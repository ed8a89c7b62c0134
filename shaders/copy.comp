#version 460
#extension GL_GOOGLE_include_directive : require
// copy: n_spans spans of `size` units of data; source and target advance by their strides from span to span.  The grid's x covers
// a span, its y the spans.
#include "shaders/common.glsl"
#include "shaders/units.glsl"

layout(push_constant) uniform Push {
    F32 from, to;
    uint n_spans, size, from_first, from_stride, to_first, to_stride; // units
};

void copy_unit(uint i_from, uint i_to) {
    if (UNIT == 16u) {
        Words4(uvec2(to)).x[i_to] = Words4(uvec2(from)).x[i_from];
    } else if (UNIT == 4u) {
        Words(uvec2(to)).x[i_to] = Words(uvec2(from)).x[i_from];
    } else {
        ms_store_half(to, i_to, ms_load_half(from, i_from));
    }
}

void main() {
    for (uint b = gl_WorkGroupID.y; b < n_spans; b += gl_NumWorkGroups.y)
        for (uint i = gl_GlobalInvocationID.x; i < size; i += ms_unit_stride())
            copy_unit(from_first + b * from_stride + i, to_first + b * to_stride + i);
}
