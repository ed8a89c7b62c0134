// What matmul and gram share on CUDA: products of stacks of matrices, y = alpha * left right^T + beta * c.
#ifndef MS_BACKEND_CUDA_PRODUCT_CUH
#define MS_BACKEND_CUDA_PRODUCT_CUH

#include "backend/cuda/cuda_kernel.cuh"

// A factor as rows (the index that survives) by depth (the summed one); the rows of the right factor are y's columns.
struct ms_cuda_factor {
    const ms_cuda_operand *operand;
    int64_t n_rows, depth;
    bool transposed; // stored [depth, rows], so that rows are neighbours; else [rows, depth]
    bool shared;     // one matrix for the whole batch
};

struct ms_cuda_product {
    ms_cuda_factor left, right;
    const ms_cuda_operand *c, *y; // y [batch, left.n_rows, right.n_rows]; c likewise or absent, may be y's place
    int64_t batch;
    float alpha, beta;
    bool symmetric; // both factors are one: the lower triangle of y is the mirror of the upper
};

// Bit for bit the definition in backend/cpu/matmul.c and gram.c (product_exact.cu).  Workspace: 0, or up to 64 MiB of
// sums of chunks.
size_t ms_cuda_exact_product_workspace(const ms_cuda_call *call, const ms_cuda_product *product);
ms_status ms_cuda_exact_product(const ms_cuda_call *call, const ms_cuda_product *product);

// By cuBLASLt, with f32 sums: factors in bf16 as they are, factors in f32 rounded to TF32 where the device has that
// (product_fast.cu).  Workspace: f32 copies of operands whose mixture of dtypes cuBLASLt does not take.
size_t ms_cuda_fast_product_workspace(const ms_cuda_call *call, const ms_cuda_product *product);
ms_status ms_cuda_fast_product(const ms_cuda_call *call, const ms_cuda_product *product);

// x x^T in f32 with TF32 products, half of the tiles (gram_fast.cu); `takes`: else cuBLASLt makes all of them.
bool ms_cuda_fast_gram_takes(const ms_cuda_call *call, const ms_cuda_product *product);
ms_status ms_cuda_fast_gram(const ms_cuda_call *call, const ms_cuda_product *product);

// Whichever the device's numerics ask for.
static inline size_t ms_cuda_product_workspace(const ms_cuda_call *call, const ms_cuda_product *product) {
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_product_workspace(call, product)
                                               : ms_cuda_fast_product_workspace(call, product);
}
static inline ms_status ms_cuda_product_run(const ms_cuda_call *call, const ms_cuda_product *product) {
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_product(call, product)
                                               : ms_cuda_fast_product(call, product);
}

#endif
