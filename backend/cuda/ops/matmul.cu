// matmul: y = alpha * op(a) op(b) + beta * c.  Definition: backend/cpu/matmul.c.  Kernels: gemm.cuh.
#include "backend/cuda/ops/gemm.cuh"

extern "C" ms_status ms_cuda_matmul(const ms_cuda_call *call) { return ms_cuda_gemm_run(call); }

extern "C" size_t ms_cuda_matmul_workspace(const ms_cuda_call *call) { return ms_cuda_gemm_workspace(call); }
