// The formulas of backend/formulas.h for CUDA: ms_formulas<false>::ms_formula_swiglu(gate, up) has the bits of `exact`.
// With FAST they use the device's own exp and division, for the ops of kind ELEMENTWISE in `fast`.  Errors (CUDA C++
// Programming Guide, intrinsic functions): __expf 2 + 1.173 |x| ulp, __fdividef 2 ulp.
#ifndef MS_BACKEND_CUDA_FORMULAS_CUH
#define MS_BACKEND_CUDA_FORMULAS_CUH

#include "backend/cuda/cuda_kernel.cuh"

template <bool FAST> static __device__ __forceinline__ float ms_exp_by(float x) {
    if constexpr (FAST) return __expf(x);
    return ms_exp(x);
}

template <bool FAST> static __device__ __forceinline__ float ms_div_by(float a, float b) {
    if constexpr (FAST) return __fdividef(a, b);
    return ms_div(a, b);
}

template <bool FAST> struct ms_formulas {
    static __device__ __forceinline__ float ms_exp(float x) { return ms_exp_by<FAST>(x); }
    static __device__ __forceinline__ float ms_div(float a, float b) { return ms_div_by<FAST>(a, b); }
#include "backend/formulas.h"
};

typedef ms_formulas<false> ms_exact_formulas;

#endif
