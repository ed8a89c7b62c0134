// Matmuls on tensor cores: warp-wide d += a b of small matrices with f32 sums, and the rounding of f32 to TF32; loads
// of fragments from shared memory, and copies to it that go on while the warp works.
//
// Fragments as in the PTX ISA, "Matrix fragments": with g = lane / 4 and t = lane % 4, counted in words of one TF32 or
// two neighbouring bf16 (low half first),
//     a  16 rows x 8 words     a[0] (g, t)   a[1] (g + 8, t)   a[2] (g, t + 4)   a[3] (g + 8, t + 4)
//     b  8 words x 8 columns   b[0] (t, g)   b[1] (t + 4, g)
//     d  16 x 8 numbers        d[0] (g, 2 t) d[1] (g, 2 t + 1) d[2] (g + 8, 2 t) d[3] (g + 8, 2 t + 1)
// ms_ldmatrix_x4: r[i] is word (g, t) of the i-th of four matrices of 8 rows x 4 words, whose row r begins at the
// 16-byte address that lane 8 i + r names; ..._trans: of its transpose, the matrix being of 8 x 8 bf16.
// All lanes of a warp call together.  tests/cuda_host has functions of the same names.  Devices before compute
// capability 8.0 have neither type: there the lanes exchange fragments and multiply in f32, without rounding to TF32.
#ifndef MS_BACKEND_CUDA_MMA_CUH
#define MS_BACKEND_CUDA_MMA_CUH

#include "backend/cuda/cuda_kernel.cuh"

#ifndef MS_CUDA_HOST

static __device__ __forceinline__ unsigned ms_shared_address(const void *shared) {
    return (unsigned)__cvta_generic_to_shared(shared);
}

static __device__ __forceinline__ void ms_ldmatrix_x4(unsigned r[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(ms_shared_address(row))
                 : "memory");
}

static __device__ __forceinline__ void ms_ldmatrix_x4_trans(unsigned r[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(ms_shared_address(row))
                 : "memory");
}

// 2^x, off by at most 2^-22 of it (PTX ISA, ex2.approx); 0 below the normal numbers.
static __device__ __forceinline__ float ms_fast_exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

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

// 16 bytes to shared memory, zeros unless they exist; both addresses are multiples of 16.  They are there, for the
// thread itself, behind its next ms_wait_for_copies.
static __device__ __forceinline__ void ms_copy_async(void *shared, const void *global, bool exists) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(ms_shared_address(shared)), "l"(global),
                 "r"(exists ? 16 : 0)
                 : "memory");
}

// The same of 4 bytes, at multiples of 4.
static __device__ __forceinline__ void ms_copy_async_word(void *shared, const void *global, bool exists) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(ms_shared_address(shared)), "l"(global),
                 "r"(exists ? 4 : 0)
                 : "memory");
}

static __device__ __forceinline__ void ms_wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

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

static __device__ __forceinline__ void ms_copy_async(void *shared, const void *global, bool exists) {
    *static_cast<uint4 *>(shared) = exists ? *static_cast<const uint4 *>(global) : make_uint4(0, 0, 0, 0);
}

static __device__ __forceinline__ void ms_copy_async_word(void *shared, const void *global, bool exists) {
    *static_cast<unsigned *>(shared) = exists ? *static_cast<const unsigned *>(global) : 0u;
}

static __device__ __forceinline__ void ms_wait_for_copies() {}

#endif
#endif
#endif
