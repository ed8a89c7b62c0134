// How elementwise shaders cut their work: quads of 4 consecutive elements.  Each invocation takes ITEMS quads, a group's width
// apart, so that neighbouring invocations touch neighbouring memory; a shader reads all operands of a quad before it writes, so
// that it may work in place.  The host's side is backend/vulkan/elementwise.h.  Included after common.glsl; a shader's own
// constants begin at 5.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint ITEMS = 2u; // quads per invocation
// 1: all counts are multiples of 4 and all operands stand at multiples of a quad's bytes, so that a quad is one load or store;
// 0: elements one by one, the last quad may hold fewer than 4.
layout(constant_id = 4) const uint VECTOR = 0u;

layout(buffer_reference, std430, buffer_reference_align = 8) buffer WordPairs { uvec2 x[]; };

// First element of this invocation's quad k: at or after the end when there is no such quad.
uint ms_quad(uint k) {
    return 4u * ((ms_group_index() * ITEMS + k) * gl_WorkGroupSize.x + gl_LocalInvocationID.x);
}

// Elements i .. i + 3 of an operand of `count` elements, i < count a multiple of 4; those from count on are 0.
vec4 ms_load4(F32 p, uint i, uint count, uint dtype) {
    if (VECTOR != 0u) {
        if (dtype == MS_F32) return F32x4(uvec2(p)).x[i >> 2];
        uvec2 words = WordPairs(uvec2(p)).x[i >> 2];
        return uintBitsToFloat(uvec4(words.x << 16, words.x & 0xffff0000u, words.y << 16, words.y & 0xffff0000u));
    }
    vec4 quad = vec4(0.0);
    [[unroll]] for (uint k = 0u; k < 4u; k++)
        if (i + k < count) quad[k] = ms_load(p, i + k, dtype);
    return quad;
}

void ms_store4(F32 p, uint i, uint count, uint dtype, vec4 quad) {
    if (VECTOR != 0u) {
        if (dtype == MS_F32) {
            F32x4(uvec2(p)).x[i >> 2] = quad;
        } else {
            uint low = ms_to_bf16(quad.x) | (ms_to_bf16(quad.y) << 16), high = ms_to_bf16(quad.z) | (ms_to_bf16(quad.w) << 16);
            WordPairs(uvec2(p)).x[i >> 2] = uvec2(low, high);
        }
        return;
    }
    [[unroll]] for (uint k = 0u; k < 4u; k++)
        if (i + k < count) ms_store(p, i + k, dtype, quad[k]);
}
