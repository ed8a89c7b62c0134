// W neighbouring numbers of an operand, in 16-byte accesses: 4 of f32, 8 of bf16, or 8 of either where an op mixes
// them.  W = 1 is one number at a time, for whatever is not whole packs at 16-byte addresses.  Numbers are f32 in
// registers.
#ifndef MS_BACKEND_CUDA_PACK_CUH
#define MS_BACKEND_CUDA_PACK_CUH

#include "backend/cuda/cuda_kernel.cuh"

// Numbers of T in 16 bytes.
#define MS_PACK_WIDTH(T) (16 / (int)sizeof(T))

template <int W> struct ms_pack { float x[W]; };

template <int W> static __device__ __forceinline__ ms_pack<W> ms_pack_of(float value) {
    ms_pack<W> pack;
#pragma unroll
    for (int j = 0; j < W; j++) pack.x[j] = value;
    return pack;
}

// Numbers i to i + W - 1; i is a multiple of W.
template <int W> static __device__ __forceinline__ ms_pack<W> ms_load_pack(const float *p, unsigned int i) {
    ms_pack<W> pack;
    if constexpr (W == 1) {
        pack.x[0] = p[i];
    } else {
#pragma unroll
        for (int j = 0; j < W; j += 4) {
            float4 quad = *reinterpret_cast<const float4 *>(p + i + j);
            pack.x[j] = quad.x, pack.x[j + 1] = quad.y, pack.x[j + 2] = quad.z, pack.x[j + 3] = quad.w;
        }
    }
    return pack;
}

// A pack as it is in memory.  Where a load and the use of what it brings lie in different branches, what was fetched must wait as
// it is: to widen it is a use.
template <class T, int W> struct ms_raw_pack { ms_pack<W> value; };
template <int W> struct ms_raw_pack<ms_bf16, W> { unsigned int word[(W + 1) / 2]; };

template <int W> static __device__ __forceinline__ ms_raw_pack<float, W> ms_fetch_pack(const float *p, unsigned int i) {
    return {ms_load_pack<W>(p, i)};
}
template <int W>
static __device__ __forceinline__ ms_raw_pack<ms_bf16, W> ms_fetch_pack(const ms_bf16 *p, unsigned int i) {
    if constexpr (W == 1) {
        return {{reinterpret_cast<const unsigned short *>(p)[i]}};
    } else {
        static_assert(W == 8, "16 bytes of bf16");
        uint4 words = *reinterpret_cast<const uint4 *>(p + i);
        return {{words.x, words.y, words.z, words.w}};
    }
}

template <int W> static __device__ __forceinline__ ms_pack<W> ms_widen(const ms_raw_pack<float, W> &raw) {
    return raw.value;
}
template <int W> static __device__ __forceinline__ ms_pack<W> ms_widen(const ms_raw_pack<ms_bf16, W> &raw) {
    ms_pack<W> pack;
#pragma unroll
    for (int j = 0; j < W; j++)
        pack.x[j] = __uint_as_float(j % 2 == 0 ? raw.word[j / 2] << 16 : raw.word[j / 2] & 0xffff0000u);
    return pack;
}

template <int W> static __device__ __forceinline__ ms_pack<W> ms_load_pack(const ms_bf16 *p, unsigned int i) {
    return ms_widen<W>(ms_fetch_pack<W>(p, i));
}

template <int W>
static __device__ __forceinline__ void ms_store_pack(float *p, unsigned int i, const ms_pack<W> &pack) {
    if constexpr (W == 1) {
        p[i] = pack.x[0];
    } else {
#pragma unroll
        for (int j = 0; j < W; j += 4)
            *reinterpret_cast<float4 *>(p + i + j) =
                make_float4(pack.x[j], pack.x[j + 1], pack.x[j + 2], pack.x[j + 3]);
    }
}

template <int W>
static __device__ __forceinline__ void ms_store_pack(ms_bf16 *p, unsigned int i, const ms_pack<W> &pack) {
    if constexpr (W == 1) {
        ms_store_element(p, i, pack.x[0]);
    } else {
        static_assert(W == 8, "16 bytes of bf16");
        unsigned int word[4];
#pragma unroll
        for (int j = 0; j < 4; j++) word[j] = ms_bf16_bits(pack.x[2 * j]) | ms_bf16_bits(pack.x[2 * j + 1]) << 16;
        *reinterpret_cast<uint4 *>(p + i) = make_uint4(word[0], word[1], word[2], word[3]);
    }
}

template <int W> static __device__ __forceinline__ ms_pack<W> ms_pack_add(const ms_pack<W> &a, const ms_pack<W> &b) {
    ms_pack<W> sum;
#pragma unroll
    for (int j = 0; j < W; j++) sum.x[j] = ms_add(a.x[j], b.x[j]);
    return sum;
}

template <int W> static __device__ __forceinline__ ms_pack<W> ms_pack_mul(const ms_pack<W> &a, const ms_pack<W> &b) {
    ms_pack<W> product;
#pragma unroll
    for (int j = 0; j < W; j++) product.x[j] = ms_mul(a.x[j], b.x[j]);
    return product;
}

template <int W> static __device__ __forceinline__ ms_pack<W> ms_pack_scale(const ms_pack<W> &a, float factor) {
    ms_pack<W> product;
#pragma unroll
    for (int j = 0; j < W; j++) product.x[j] = ms_mul(a.x[j], factor);
    return product;
}

// Whether the operand, in parts of `size` elements one after the other, is packs of `width`; true of an absent one.
static inline bool ms_is_packs(const ms_operand *operand, int64_t size, int width) {
    return !operand->data || (size % width == 0 && reinterpret_cast<uintptr_t>(operand->data) % 16 == 0);
}

// Whether all operands of `count` elements are packs of `width`.
static inline bool ms_all_packs(const ms_cuda_call *call, int64_t count, int width) {
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        if (call->in[i].count == count && !ms_is_packs(&call->in[i], count, width)) return false;
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        if (call->out[i].count == count && !ms_is_packs(&call->out[i], count, width)) return false;
    return true;
}

#endif
