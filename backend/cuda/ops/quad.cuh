// Four neighbouring numbers at a time: 16-byte accesses of f32, 8-byte ones of bf16.
#ifndef MS_BACKEND_CUDA_QUAD_CUH
#define MS_BACKEND_CUDA_QUAD_CUH

#include "backend/cuda/cuda_kernel.cuh"

// Elements i to i + 3 of p, which are aligned to their size.
static __device__ __forceinline__ float4 ms_load_quad(const float *p, unsigned int i) {
    return *reinterpret_cast<const float4 *>(p + i);
}
static __device__ __forceinline__ float4 ms_load_quad(const ms_bf16 *p, unsigned int i) {
    uint2 pairs = *reinterpret_cast<const uint2 *>(p + i);
    return make_float4(__uint_as_float(pairs.x << 16), __uint_as_float(pairs.x & 0xffff0000u),
                       __uint_as_float(pairs.y << 16), __uint_as_float(pairs.y & 0xffff0000u));
}
static __device__ __forceinline__ void ms_store_quad(float *p, unsigned int i, float4 quad) {
    *reinterpret_cast<float4 *>(p + i) = quad;
}
static __device__ __forceinline__ void ms_store_quad(ms_bf16 *p, unsigned int i, float4 quad) {
    unsigned int x = ms_bf16_bits(quad.x), y = ms_bf16_bits(quad.y), z = ms_bf16_bits(quad.z), w = ms_bf16_bits(quad.w);
    *reinterpret_cast<uint2 *>(p + i) = make_uint2(x | y << 16, z | w << 16);
}

// Elements i to i + 3, of which only those below `end` exist; the others are `outside`.
template <class T>
static __device__ __forceinline__ float4 ms_load_quad_below(const T *p, unsigned int i, unsigned int end, bool vector,
                                                            float outside) {
    if (vector) return i < end ? ms_load_quad(p, i) : make_float4(outside, outside, outside, outside);
    float4 quad = make_float4(outside, outside, outside, outside);
    if (i < end) quad.x = ms_load_element(p, i);
    if (i + 1 < end) quad.y = ms_load_element(p, i + 1);
    if (i + 2 < end) quad.z = ms_load_element(p, i + 2);
    if (i + 3 < end) quad.w = ms_load_element(p, i + 3);
    return quad;
}

// Stores those of elements i to i + 3 that are below `end`.
template <class T>
static __device__ __forceinline__ void ms_store_quad_below(T *p, unsigned int i, unsigned int end, bool vector,
                                                           float4 quad) {
    if (vector) {
        if (i < end) ms_store_quad(p, i, quad);
        return;
    }
    if (i < end) ms_store_element(p, i, quad.x);
    if (i + 1 < end) ms_store_element(p, i + 1, quad.y);
    if (i + 2 < end) ms_store_element(p, i + 2, quad.z);
    if (i + 3 < end) ms_store_element(p, i + 3, quad.w);
}

// Whether rows of `row` elements that begin at the operand's first can be read as quads.  An absent operand can.
static inline bool ms_takes_quads(const ms_operand *operand, int64_t row) {
    return row % 4 == 0 && (uintptr_t)operand->data % (4 * ms_dtype_size(operand->dtype)) == 0;
}

#endif
