// Shaders that move bits, whatever they mean, in units of UNIT bytes: 16, 4 or 2; addresses and sizes are multiples of it (2 without
// 16-bit storage: addresses are still multiples of 4).  Include after common.glsl; a shader's own constants begin at 4.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint UNIT = 4u;

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Words4 { uvec4 x[]; };

// Units that the x dimension of the grid covers at a time.
uint ms_unit_stride() { return gl_NumWorkGroups.x * gl_WorkGroupSize.x; }
