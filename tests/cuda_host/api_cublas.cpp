/* Calls of cuBLAS.  What each promises is in NVIDIA's cublas_api.h; scalars are read from the host. */
#include <cublas_v2.h>

#include "tests/cuda_host/gemm.h"

using namespace ms_cuda_host;

/* What a cublasHandle_t points to. */
struct cublasContext {
    cudaStream_t stream;
    cublasMath_t math;
};

namespace {

/* A column-major batch as cuBLAS is given it. */
Matrices matrices(const void *data, cudaDataType type, int64_t n_rows, int64_t n_columns, int leading,
                  int64_t batch_stride) {
    return {const_cast<void *>(data), type, n_rows, n_columns, leading, false, batch_stride};
}

bool is_operation(cublasOperation_t operation) {
    return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

} // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t *out) {
    if (!out) return CUBLAS_STATUS_INVALID_VALUE;
    *out = new cublasContext{nullptr, CUBLAS_DEFAULT_MATH};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t math) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (math != CUBLAS_DEFAULT_MATH && math != CUBLAS_PEDANTIC_MATH && math != CUBLAS_TF32_TENSOR_OP_MATH)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    handle->math = math;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transpose_a,
                                          cublasOperation_t transpose_b, int m, int n, int k, const void *alpha,
                                          const void *a, cudaDataType a_type, int lda, long long stride_a,
                                          const void *b, cudaDataType b_type, int ldb, long long stride_b,
                                          const void *beta, void *c, cudaDataType c_type, int ldc, long long stride_c,
                                          int n_batches, cublasComputeType_t compute, cublasGemmAlgo_t) {
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!alpha || !beta || !is_operation(transpose_a) || !is_operation(transpose_b) || m < 0 || n < 0 || k < 0 ||
        n_batches < 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (n_batches == 0) return CUBLAS_STATUS_SUCCESS;
    Gemm gemm = {};
    gemm.transpose_a = transpose_a != CUBLAS_OP_N;
    gemm.transpose_b = transpose_b != CUBLAS_OP_N;
    gemm.a = matrices(a, a_type, gemm.transpose_a ? k : m, gemm.transpose_a ? m : k, lda, stride_a);
    gemm.b = matrices(b, b_type, gemm.transpose_b ? n : k, gemm.transpose_b ? k : n, ldb, stride_b);
    gemm.c = gemm.d = matrices(c, c_type, m, n, ldc, stride_c);
    gemm.alpha = *static_cast<const float *>(alpha);
    gemm.beta = *static_cast<const float *>(beta);
    bool to_tf32 = handle->math == CUBLAS_TF32_TENSOR_OP_MATH && compute == CUBLAS_COMPUTE_32F;
    gemm.compute = to_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : compute;
    gemm.n_batches = n_batches;
    return submit_gemm(gemm, handle->stream);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType a_type, int lda, const void *b,
                            cudaDataType b_type, int ldb, const void *beta, void *c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
    return cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, a_type, lda, 0, b, b_type,
                                      ldb, 0, beta, c, c_type, ldc, 0, 1, compute, algorithm);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b,
                              int m, int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
                              const float *beta, float *c, int ldc) {
    return cublasGemmEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb, beta,
                        c, CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transpose_a,
                                         cublasOperation_t transpose_b, int m, int n, int k, const float *alpha,
                                         const float *a, int lda, long long stride_a, const float *b, int ldb,
                                         long long stride_b, const float *beta, float *c, int ldc, long long stride_c,
                                         int n_batches) {
    return cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, CUDA_R_32F, lda, stride_a, b,
                                      CUDA_R_32F, ldb, stride_b, beta, c, CUDA_R_32F, ldc, stride_c, n_batches,
                                      CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}
}
