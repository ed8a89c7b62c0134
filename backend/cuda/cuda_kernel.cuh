// What every .cu file includes: launches, element types and access, exact arithmetic, step coefficients, faults.
//
// The same source is compiled by nvcc for devices, and by the host's C++ compiler against tests/cuda_host for machines
// without one; what differs between the two is hidden here.  No float atomics, no division, no built-in functions of
// the math library in `exact`: every product and sum through ms_mul, ms_add, ms_sub, which round once and are never
// contracted, and the functions of backend/exact.h.
#ifndef MS_BACKEND_CUDA_CUDA_KERNEL_CUH
#define MS_BACKEND_CUDA_CUDA_KERNEL_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "backend/cuda/cuda_kernel.h"

#ifndef MS_CUDA_HOST
#define MS_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
// A thread block's variable in shared memory: MS_SHARED(float, tile, [16][17]);
#define MS_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
// A thread block's dynamic shared memory as an array of `type`.
#define MS_DYNAMIC_SHARED(type, name)                                                                                  \
    extern __shared__ __align__(16) unsigned char ms_dynamic_shared[];                                                 \
    type *name = reinterpret_cast<type *>(ms_dynamic_shared)
#endif

#include "backend/exact.h"

static __device__ __forceinline__ float ms_add(float a, float b) { return __fadd_rn(a, b); }
static __device__ __forceinline__ float ms_sub(float a, float b) { return __fsub_rn(a, b); }
static __device__ __forceinline__ float ms_mul(float a, float b) { return __fmul_rn(a, b); }

typedef __nv_bfloat16 ms_bf16;

// bf16 is the high half of an f32; rounding to nearest even by integers, a NaN stays a quiet NaN: platform/bf16.h.
static __device__ __forceinline__ float ms_load_element(const float *p, unsigned int i) { return p[i]; }
static __device__ __forceinline__ float ms_load_element(const ms_bf16 *p, unsigned int i) {
    return __uint_as_float((unsigned int)reinterpret_cast<const unsigned short *>(p)[i] << 16);
}
static __device__ __forceinline__ void ms_store_element(float *p, unsigned int i, float value) { p[i] = value; }
static __device__ __forceinline__ unsigned int ms_bf16_bits(float value) {
    unsigned int bits = __float_as_uint(value);
    unsigned int rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    unsigned int nan = (bits >> 16) | 0x40u;
    return (bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded;
}
static __device__ __forceinline__ void ms_store_element(ms_bf16 *p, unsigned int i, float value) {
    reinterpret_cast<unsigned short *>(p)[i] = (unsigned short)ms_bf16_bits(value);
}

// A factor that is constant or moves with the step: ms_coefficient of backend/ir/op.h.
static __device__ __forceinline__ float ms_coefficient_value(ms_coefficient coefficient, const float *step_scalars) {
    return coefficient.scalar >= 0 ? ms_mul(coefficient.constant, step_scalars[coefficient.scalar])
                                   : coefficient.constant;
}

// The first report of a run is kept.
static __device__ __forceinline__ void ms_report_fault(ms_cuda_fault *fault, unsigned int node, int value) {
    if (atomicCAS(&fault->node, 0u, node + 1u) == 0u) fault->value = value;
}

// Thread blocks of `threads` for n elements.
static inline unsigned int ms_thread_blocks(int64_t n, int64_t threads) { return (unsigned int)((n + threads - 1) / threads); }

// Before the launch of a kernel with `bytes` of dynamic shared memory: above 48 KiB, what the kernel declares counted
// in, it must be asked for.  Never lowered: captured launches that need more may still run.
template <class Kernel> static ms_status ms_allow_shared_bytes(Kernel *kernel, size_t bytes) {
    if (bytes <= 40 * 1024) return MS_OK;
    cudaFuncAttributes now;
    MS_TRY(ms_cuda_status(cudaFuncGetAttributes(&now, kernel), "asking for shared memory"));
    if (bytes <= (size_t)now.maxDynamicSharedSizeBytes) return MS_OK;
    return ms_cuda_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
                          "asking for shared memory");
}

// Calls `function<T>(call)` with T = float or ms_bf16 by a dtype.
#define MS_BY_DTYPE(dtype, function, ...)                                                                              \
    ((dtype) == MS_DTYPE_BF16 ? function<ms_bf16>(__VA_ARGS__) : function<float>(__VA_ARGS__))

#endif
