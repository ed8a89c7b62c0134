// How elementwise shaders cut their work: quads of 4 consecutive elements, see quads.glsl.  Each invocation takes ITEMS quads, a
// group's width apart, so that neighbouring invocations touch neighbouring memory; a shader reads all operands of a quad before it
// writes, so that it may work in place.  The host's side is backend/vulkan/ops/elementwise.h.  Include after common.glsl; a shader's own
// constants begin at 5.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint ITEMS = 2u; // quads per invocation
layout(constant_id = 4) const uint VECTOR = 0u;
#include "shaders/quads.glsl"

// First element of this invocation's quad k; there is no such quad when it is at the number of elements or beyond.
uint ms_quad_begin(uint k) {
    return 4u * ((ms_group_index() * ITEMS + k) * gl_WorkGroupSize.x + gl_LocalInvocationID.x);
}
