// Four neighbouring numbers at a time.  Include after common.glsl and after the constant VECTOR, which is 1 when every access is to
// four numbers that exist, the first at a multiple of their bytes, so that it is one load or store; 0 for one number at a time; 2 when,
// in bf16, the same holds for eight numbers, so that ms_load8 is one load of 16 bytes.

layout(buffer_reference, std430, buffer_reference_align = 8) buffer WordPairs { uvec2 x[]; };
layout(buffer_reference, std430, buffer_reference_align = 16) buffer WordQuads { uvec4 x[]; };

// Numbers i to i + 3 of an operand; those from `end` on are 0.
vec4 ms_load4(F32 p, uint i, uint end, uint dtype) {
    if (VECTOR != 0u) {
        if (dtype == MS_F32) return F32x4(uvec2(p)).x[i / 4u];
        uvec2 words = WordPairs(uvec2(p)).x[i / 4u];
        return uintBitsToFloat(uvec4(words.x << 16, words.x & 0xffff0000u, words.y << 16, words.y & 0xffff0000u));
    }
    vec4 quad = vec4(0.0);
    if (i < end) quad.x = ms_load(p, i, dtype);
    if (i + 1u < end) quad.y = ms_load(p, i + 1u, dtype);
    if (i + 2u < end) quad.z = ms_load(p, i + 2u, dtype);
    if (i + 3u < end) quad.w = ms_load(p, i + 3u, dtype);
    return quad;
}

// bf16 numbers i to i + 7, where VECTOR is 2.
void ms_load8(F32 p, uint i, out vec4 low, out vec4 high) {
    uvec4 words = WordQuads(uvec2(p)).x[i / 8u];
    low = uintBitsToFloat(uvec4(words.x << 16, words.x & 0xffff0000u, words.y << 16, words.y & 0xffff0000u));
    high = uintBitsToFloat(uvec4(words.z << 16, words.z & 0xffff0000u, words.w << 16, words.w & 0xffff0000u));
}

void ms_store4(F32 p, uint i, uint end, uint dtype, vec4 quad) {
    if (VECTOR != 0u) {
        if (dtype == MS_F32) {
            F32x4(uvec2(p)).x[i / 4u] = quad;
        } else {
            uint low = ms_to_bf16(quad.x) | ms_to_bf16(quad.y) << 16, high = ms_to_bf16(quad.z) | ms_to_bf16(quad.w) << 16;
            WordPairs(uvec2(p)).x[i / 4u] = uvec2(low, high);
        }
        return;
    }
    if (i < end) ms_store(p, i, dtype, quad.x);
    if (i + 1u < end) ms_store(p, i + 1u, dtype, quad.y);
    if (i + 2u < end) ms_store(p, i + 2u, dtype, quad.z);
    if (i + 3u < end) ms_store(p, i + 3u, dtype, quad.w);
}
