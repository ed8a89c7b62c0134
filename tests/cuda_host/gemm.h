/* Matmuls of cuBLAS and cuBLASLt, computed by OpenBLAS when their stream runs. */
#ifndef MS_TESTS_CUDA_HOST_GEMM_H
#define MS_TESTS_CUDA_HOST_GEMM_H

#include <cstdint>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

namespace ms_cuda_host {

/* A batch of matrices as they lie in memory. */
struct Matrices {
    void *data;
    cudaDataType type; /* CUDA_R_32F or CUDA_R_16BF */
    int64_t n_rows, n_columns;
    int64_t leading; /* elements from one column (row_major: row) to the next */
    bool row_major;
    int64_t batch_stride; /* elements from one matrix to the next */
};

/* d = alpha op(a) op(b) + beta c, sums in f32.  c is not read where beta is 0; it may be d. */
struct Gemm {
    Matrices a, b, c, d;
    bool transpose_a, transpose_b;
    float alpha, beta;
    cublasComputeType_t compute; /* of f32, FAST_TF32 cuts off what tensor cores ignore, FAST_16BF rounds */
    int64_t n_batches;
    void *workspace; /* overwritten, as a device may do */
    size_t workspace_bytes;
};

/* Checks shapes, strides and types: CUBLAS_STATUS_INVALID_VALUE or CUBLAS_STATUS_NOT_SUPPORTED. */
cublasStatus_t check_gemm(const Gemm &gemm);

/* Checks, and that all operands lie in device memory, then queues.  Sizes of 0 queue nothing.  Thread-safe. */
cublasStatus_t submit_gemm(const Gemm &gemm, cudaStream_t stream);

} // namespace ms_cuda_host

#endif
