// Products on tensor cores: warp-wide d += a b of small matrices with f32 sums, and the rounding of f32 to TF32.
//
// Fragments as in the PTX ISA, "Matrix fragments": with g = lane / 4 and t = lane % 4, counted in words of one TF32 or
// two neighbouring bf16 (low half first),
//     a  16 rows x 8 words     a[0] (g, t)   a[1] (g + 8, t)   a[2] (g, t + 4)   a[3] (g + 8, t + 4)
//     b  8 words x 8 columns   b[0] (t, g)   b[1] (t + 4, g)
//     d  16 x 8 numbers        d[0] (g, 2 t) d[1] (g, 2 t + 1) d[2] (g + 8, 2 t) d[3] (g + 8, 2 t + 1)
// All lanes of a warp call together.  tests/cuda_host has functions of the same names.  Devices before compute
// capability 8.0 have neither type: there the lanes exchange fragments and multiply in f32, without rounding to TF32.
#ifndef MS_BACKEND_CUDA_MMA_CUH
#define MS_BACKEND_CUDA_MMA_CUH

#include "backend/cuda/cuda_kernel.cuh"

#ifndef MS_CUDA_HOST

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

static __device__ __forceinline__ void ms_mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ void ms_mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

static __device__ __forceinline__ unsigned ms_tf32_of(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

#else

// Word i of row g of a (g + 8 when `lower`), or of column g of b, from the lane that has it.
static __device__ __forceinline__ unsigned ms_mma_word(unsigned low, unsigned high, unsigned g, int i) {
    return __shfl_sync(0xffffffffu, i < 4 ? low : high, 4 * g + i % 4);
}

// d += the products of the words' numbers, word by word; `add(sum, a, b)` multiplies one pair of words.
template <class Add>
static __device__ __forceinline__ void ms_mma_by_lanes(float d[4], const unsigned a[4], const unsigned b[2], Add add) {
    unsigned g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll 1 // or the attention kernels grow to tens of thousands of instructions
    for (int i = 0; i < 8; i++) {
        unsigned upper = ms_mma_word(a[0], a[2], g, i), lower = ms_mma_word(a[1], a[3], g, i);
        unsigned even = ms_mma_word(b[0], b[1], 2 * t, i), odd = ms_mma_word(b[0], b[1], 2 * t + 1, i);
        d[0] = add(d[0], upper, even);
        d[1] = add(d[1], upper, odd);
        d[2] = add(d[2], lower, even);
        d[3] = add(d[3], lower, odd);
    }
}

static __device__ __forceinline__ void ms_mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2]) {
    ms_mma_by_lanes(d, a, b, [](float sum, unsigned x, unsigned y) {
        sum = fmaf(__uint_as_float(x << 16), __uint_as_float(y << 16), sum);
        return fmaf(__uint_as_float(x & 0xffff0000u), __uint_as_float(y & 0xffff0000u), sum);
    });
}

static __device__ __forceinline__ void ms_mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2]) {
    ms_mma_by_lanes(
        d, a, b, [](float sum, unsigned x, unsigned y) { return fmaf(__uint_as_float(x), __uint_as_float(y), sum); });
}

static __device__ __forceinline__ unsigned ms_tf32_of(float x) { return __float_as_uint(x); }

#endif
#endif
#endif
