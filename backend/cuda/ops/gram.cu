// gram: y = x x^T, or x^T x, symmetric to the bit.  Definition: backend/cpu/gram.c.  Kernels: gemm.cuh.
#include "backend/cuda/ops/gemm.cuh"

extern "C" ms_status ms_cuda_gram(const ms_cuda_call *call) { return ms_cuda_gemm_run(call); }

extern "C" size_t ms_cuda_gram_workspace(const ms_cuda_call *call) { return ms_cuda_gemm_workspace(call); }
