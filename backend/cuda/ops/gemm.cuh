// What matmul and gram share on CUDA: the GEMM of stacks of matrices, y = alpha * left right^T + beta * c.
#ifndef MS_BACKEND_CUDA_GEMM_CUH
#define MS_BACKEND_CUDA_GEMM_CUH

#include "backend/cuda/cuda_kernel.cuh"

// A factor with its operand.
struct ms_cuda_factor : ms_factor {
    const ms_operand *operand;
};

// The GEMM of a call (backend/ir/gemm.h) with its operands.
struct ms_cuda_gemm {
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

static inline ms_cuda_gemm ms_cuda_gemm_of(const ms_cuda_call *call) {
    const ms_gemm *of = call->gemm;
    ms_cuda_gemm gemm;
    gemm.left = ms_cuda_factor_of(of->left, &call->in[0]);
    gemm.right = ms_cuda_factor_of(of->right, &call->in[of->symmetric ? 0 : 1]);
    gemm.c = &call->in[2];
    gemm.y = &call->out[0];
    gemm.batch = of->batch;
    gemm.alpha = of->alpha;
    gemm.beta = of->beta;
    gemm.symmetric = of->symmetric;
    return gemm;
}

// Bit for bit the definition in backend/cpu/matmul.c and gram.c (gemm_exact.cu).  Workspace: 0, or up to 64 MiB of
// sums of chunks.
size_t ms_cuda_exact_gemm_workspace(const ms_cuda_call *call, const ms_cuda_gemm *gemm);
ms_status ms_cuda_exact_gemm(const ms_cuda_call *call, const ms_cuda_gemm *gemm);

// By cuBLASLt, with f32 sums: factors in bf16 as they are, factors in f32 rounded to TF32 where the device has that
// (gemm_fast.cu).  Workspace: f32 copies of operands whose mixture of dtypes cuBLASLt does not take.
size_t ms_cuda_fast_gemm_workspace(const ms_cuda_call *call, const ms_cuda_gemm *gemm);
ms_status ms_cuda_fast_gemm(const ms_cuda_call *call, const ms_cuda_gemm *gemm);

// x x^T in f32 with TF32 products, half of the tiles (gram_fast.cu); `takes`: else cuBLASLt makes all of them.
bool ms_cuda_fast_gram_takes(const ms_cuda_call *call, const ms_cuda_gemm *gemm);
ms_status ms_cuda_fast_gram(const ms_cuda_call *call, const ms_cuda_gemm *gemm);

// Whichever the device's numerics ask for.
static inline size_t ms_cuda_gemm_workspace(const ms_cuda_call *call) {
    ms_cuda_gemm gemm = ms_cuda_gemm_of(call);
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_gemm_workspace(call, &gemm)
                                               : ms_cuda_fast_gemm_workspace(call, &gemm);
}
static inline ms_status ms_cuda_gemm_run(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    ms_cuda_gemm gemm = ms_cuda_gemm_of(call);
    return call->numerics == MS_NUMERICS_EXACT ? ms_cuda_exact_gemm(call, &gemm)
                                               : ms_cuda_fast_gemm(call, &gemm);
}

#endif
