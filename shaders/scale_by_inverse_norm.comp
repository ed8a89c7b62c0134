#version 460
#extension GL_GOOGLE_include_directive : require
// scale_by_inverse_norm: y = x r with r = 1 / (factor sqrt(ss) + epsilon), one ss per matrix of the stack; y may be x.  The grid's x
// covers a matrix, its y the stack.  Definition: backend/cpu/scale_by_inverse_norm.c.
#include "shaders/common.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint VECTOR = 0u;
layout(constant_id = 4) const uint DTYPE = MS_F32;
#include "shaders/quads.glsl"

layout(push_constant) uniform Push {
    F32 x, ss, y;
    float factor, epsilon;
    uint batch, size; // matrices, elements of one
};

void main() {
    for (uint b = gl_WorkGroupID.y; b < batch; b += gl_NumWorkGroups.y) {
        float inverse = ms_formula_inverse_norm(ss.x[b], factor, epsilon);
        uint begin = b * size, end = begin + size, stride = 4u * gl_NumWorkGroups.x * gl_WorkGroupSize.x;
        for (uint i = begin + 4u * gl_GlobalInvocationID.x; i < end; i += stride) {
            vec4 q = ms_load4(x, i, end, DTYPE);
            vec4 value = vec4(ms_formula_mul(q.x, inverse), ms_formula_mul(q.y, inverse), ms_formula_mul(q.z, inverse),
                              ms_formula_mul(q.w, inverse));
            ms_store4(y, i, end, DTYPE, value);
        }
    }
}
