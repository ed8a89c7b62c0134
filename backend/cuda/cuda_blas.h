/* Matmuls by cuBLASLt, for `fast` numerics. */
#ifndef MS_BACKEND_CUDA_CUDA_BLAS_H
#define MS_BACKEND_CUDA_CUDA_BLAS_H

#include "backend/cuda/cuda_kernel.h"
#include "backend/cuda/cuda_memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One factor as rows by depth: stored [rows, depth], or [depth, rows] when transposed; `step` elements from one matrix
   of the batch to the next, 0: one matrix for all. */
typedef struct ms_cuda_blas_factor {
    const void *data;
    int64_t n_rows, step;
    bool transposed;
} ms_cuda_blas_factor;

/* y = alpha * left right^T + beta * c; y [batch, left.n_rows, right.n_rows], c likewise, NULL or y itself. */
typedef struct ms_cuda_blas_gemm {
    ms_cuda_blas_factor left, right;
    const void *c;
    void *y;
    int64_t depth, batch;
    float alpha, beta;
    ms_dtype dtype;        /* of both factors, f32 or bf16 */
    ms_dtype result_dtype; /* of y and c; f32 when the factors are */
} ms_cuda_blas_gemm;

/* A handle of cuBLASLt with workspace of its own.  MS_UNSUPPORTED: the library cannot be loaded; MS_OUT_OF_MEMORY. */
ms_status ms_cuda_blas_create(const ms_cuda_limits *limits, ms_cuda_memory *memory, ms_cuda_blas **out);
void ms_cuda_blas_destroy(ms_cuda_memory *memory, ms_cuda_blas *blas); /* NULL is fine */

/* Queues the matmul on the stream (or captures it).  Sums are f32; factors in f32 are rounded to TF32 where the device
   has tensor cores for it (compute capability 8.0).  The algorithm is the first that cuBLASLt's heuristic offers
   without reductions through atomics or in the output; it is kept for shape, dtypes and alignments until the device is
   closed, so a matmul always has the same bits.  MS_UNSUPPORTED: cuBLASLt has no algorithm, with the sizes.  Not
   thread-safe. */
ms_status ms_cuda_blas_run(ms_cuda_blas *blas, const ms_cuda_blas_gemm *gemm, cudaStream_t stream);

/* Tells the algorithms that were chosen, from number `first` on, a line each; returns how many there are. */
int ms_cuda_blas_choices(const ms_cuda_blas *blas, int first, void (*tell)(void *context, const char *line),
                         void *context);

#ifdef __cplusplus
}
#endif
#endif
