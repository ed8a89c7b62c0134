// What matmul and gram share on CUDA: products of stacks of matrices, y = alpha * left right^T + beta * c.
#ifndef MS_BACKEND_CUDA_PRODUCT_CUH
#define MS_BACKEND_CUDA_PRODUCT_CUH

#include "backend/cuda/cuda_kernel.cuh"

// A factor with its operand.
struct ms_cuda_factor : ms_factor {
    const ms_operand *operand;
};

// The product of a call (backend/ir/product.h) with its operands.
struct ms_cuda_product {
    ms_cuda_factor left, right;
    const ms_operand *c, *y; // y [batch, left.n_rows, right.n_rows]; c likewise or absent, may be y's place
    int64_t batch;
    float alpha, beta;
    bool symmetric;
};

static inline ms_cuda_factor ms_cuda_factor_of(const ms_factor &factor, const ms_operand *operand) {
    ms_cuda_factor with_operand;
    static_cast<ms_factor &>(with_operand) = factor;
    with_operand.operand = operand;
    return with_operand;
}

static inline ms_cuda_product ms_cuda_product_of(const ms_cuda_call *call) {
    const ms_matrix_product *of = call->product;
    ms_cuda_product product;
    product.left = ms_cuda_factor_of(of->left, &call->in[0]);
    product.right = ms_cuda_factor_of(of->right, &call->in[of->symmetric ? 0 : 1]);
    product.c = &call->in[2];
    product.y = &call->out[0];
    product.batch = of->batch;
    product.alpha = of->alpha;
    product.beta = of->beta;
    product.symmetric = of->symmetric;
    return product;
}

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
static inline size_t ms_cuda_product_workspace(const ms_cuda_call *call) {
    ms_cuda_product product = ms_cuda_product_of(call);
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_product_workspace(call, &product)
                                               : ms_cuda_fast_product_workspace(call, &product);
}
static inline ms_status ms_cuda_product_run(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    ms_cuda_product product = ms_cuda_product_of(call);
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_product(call, &product)
                                               : ms_cuda_fast_product(call, &product);
}

#endif
