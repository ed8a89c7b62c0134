#version 460
#extension GL_GOOGLE_include_directive : require
// fill: every unit of y is made of `bits`: one 32-bit element, or a 16-bit element in both halves.
#include "shaders/common.glsl"
#include "shaders/units.glsl"

layout(push_constant) uniform Push {
    F32 y;
    uint bits, size; // size in units
};

void main() {
    for (uint i = gl_GlobalInvocationID.x; i < size; i += ms_unit_stride()) {
        if (UNIT == 16u) {
            Words4(uvec2(y)).x[i] = uvec4(bits);
        } else if (UNIT == 4u) {
            Words(uvec2(y)).x[i] = bits;
        } else {
            ms_store_half(y, i, bits & 0xffffu);
        }
    }
}
