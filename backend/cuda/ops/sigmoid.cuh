// sigmoid, for the kernels of swiglu, and exp: as defined in `exact` (backend/cpu/sigmoid.h, backend/exact.h), or in
// `fast` by the device's own functions.  Their errors (CUDA C++ Programming Guide, intrinsic functions): __expf 2
// + 1.173 |x| ulp, __fdividef 2 ulp.
#ifndef MS_BACKEND_CUDA_SIGMOID_CUH
#define MS_BACKEND_CUDA_SIGMOID_CUH

#include "backend/cuda/cuda_kernel.cuh"

template <bool FAST> static __device__ __forceinline__ float ms_exp_by(float x) {
    if constexpr (FAST) return __expf(x);
    return ms_exp(x);
}

template <bool FAST> static __device__ __forceinline__ float ms_sigmoid(float x) {
    float e = ms_exp_by<FAST>(x < 0.0f ? x : -x);
    float numerator = x < 0.0f ? e : 1.0f, denominator = ms_add(1.0f, e);
    if constexpr (FAST) return __fdividef(numerator, denominator);
    return ms_mul(numerator, ms_reciprocal(denominator));
}

#endif
