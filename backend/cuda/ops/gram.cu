// gram: y = x x^T, or x^T x, symmetric to the bit.  Definition: backend/cpu/gram.c.  Kernels: product.cuh.
#include "backend/cuda/ops/product.cuh"

extern "C" ms_status ms_cuda_gram(const ms_cuda_call *call) { return ms_cuda_product_run(call); }

extern "C" size_t ms_cuda_gram_workspace(const ms_cuda_call *call) { return ms_cuda_product_workspace(call); }
