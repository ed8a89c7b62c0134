// GEMM in `fast`.  cuBLASLt takes factors of one dtype, and gives a result in bf16 only of factors in bf16; what has
// another mixture goes through f32 copies in workspace: widening is exact, and the result is rounded once.
#include "backend/cuda/cuda_blas.h"
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/gemm.cuh"

enum { MIRROR_SIDE = 32, MIRROR_ROWS = 8 };

// Copies the upper triangle of matrices [n, n] to the lower, a square of MIRROR_SIDE at a time.
template <class T> static __global__ void mirror_kernel(T *y, unsigned int n, unsigned int n_squares) {
    MS_SHARED(T, square, [MIRROR_SIDE][MIRROR_SIDE + 4 / sizeof(T)]); // columns in different banks
    unsigned int square_x = blockIdx.x % n_squares, rest = blockIdx.x / n_squares, square_y = rest % n_squares;
    if (square_x < square_y) return;
    T *matrix = y + (size_t)(rest / n_squares) * n * n;
    unsigned int column = square_x * MIRROR_SIDE + threadIdx.x, row = square_y * MIRROR_SIDE + threadIdx.x;
    for (unsigned int r = threadIdx.y; r < MIRROR_SIDE; r += MIRROR_ROWS)
        if (square_y * MIRROR_SIDE + r < n && column < n)
            square[r][threadIdx.x] = matrix[(square_y * MIRROR_SIDE + r) * n + column];
    __syncthreads();
    for (unsigned int c = threadIdx.y; c < MIRROR_SIDE; c += MIRROR_ROWS) {
        unsigned int mirrored = square_x * MIRROR_SIDE + c; // the row below the diagonal
        if (mirrored < n && row < mirrored) matrix[mirrored * n + row] = square[threadIdx.x][c];
    }
}

// Where the f32 copies are in workspace, in bytes; -1: the operand is taken as it is.
struct copies {
    int64_t left, right, y;
    size_t size_bytes;
};

static int64_t append(copies *all, int64_t count) {
    int64_t at = (int64_t)all->size_bytes;
    all->size_bytes += ((size_t)count * sizeof(float) + 255) / 256 * 256;
    return at;
}

static copies plan_of(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    bool left = gemm->left.operand->dtype == MS_DTYPE_BF16, right = gemm->right.operand->dtype == MS_DTYPE_BF16;
    bool in_bf16 = left && right && call->limits->compute_major >= 8;
    copies all = {-1, -1, -1, 0};
    if (left && !in_bf16) all.left = append(&all, gemm->left.operand->count);
    if (right && !in_bf16) all.right = gemm->symmetric ? all.left : append(&all, gemm->right.operand->count);
    if (gemm->y->dtype == MS_DTYPE_BF16 && !in_bf16) all.y = append(&all, gemm->y->count);
    return all;
}

size_t ms_cuda_fast_gemm_workspace(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    return plan_of(call, gemm).size_bytes;
}

static float *copy_at(const ms_cuda_call *call, int64_t at) {
    return reinterpret_cast<float *>(static_cast<char *>(call->workspace) + at);
}

static ms_status widen(const ms_cuda_call *call, const ms_operand *operand, int64_t at) {
    ms_convert_op<ms_bf16, float> op = {(const ms_bf16 *)operand->data, copy_at(call, at)};
    return ms_run_elementwise(call, op, operand->count, ms_is_packs(operand, operand->count, op.WIDTH));
}

static ms_cuda_blas_factor factor_of(const ms_cuda_call *call, const ms_cuda_factor *given, int64_t copy) {
    ms_cuda_blas_factor factor;
    factor.data = copy < 0 ? given->operand->data : copy_at(call, copy);
    factor.n_rows = given->n_rows;
    factor.step = ms_factor_step(given);
    factor.transposed = given->transposed;
    return factor;
}

template <class T> static ms_status mirror(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    unsigned int n = (unsigned int)gemm->left.n_rows, n_squares = ms_thread_blocks(n, MIRROR_SIDE);
    MS_LAUNCH(mirror_kernel<T>, (unsigned int)gemm->batch * n_squares * n_squares, dim3(MIRROR_SIDE, MIRROR_ROWS), 0,
              call->stream, (T *)gemm->y->data, n, n_squares);
    return ms_cuda_launched(call);
}

static ms_status multiply(const ms_cuda_call *call, const ms_cuda_gemm *gemm, const copies &all) {
    ms_cuda_blas_gemm p;
    p.left = factor_of(call, &gemm->left, all.left);
    p.right = factor_of(call, &gemm->right, all.right);
    p.y = all.y < 0 ? gemm->y->data : copy_at(call, all.y);
    p.c = !gemm->c->data ? NULL : all.y < 0 ? gemm->c->data : p.y;
    p.depth = gemm->left.depth;
    p.batch = gemm->batch;
    p.alpha = gemm->alpha;
    p.beta = gemm->beta;
    p.dtype = all.left >= 0 || gemm->left.operand->dtype == MS_DTYPE_F32 ? MS_DTYPE_F32 : MS_DTYPE_BF16;
    p.result_dtype = all.y >= 0 ? MS_DTYPE_F32 : gemm->y->dtype;
    // A stack of matrices times one matrix is one tall GEMM.
    if (p.right.step == 0 && !p.left.transposed && p.left.step > 0) {
        p.left.n_rows *= p.batch;
        p.left.step = 0;
        p.batch = 1;
    }
    return ms_cuda_blas_run(call->blas, &p, call->stream);
}

ms_status ms_cuda_fast_gemm(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    if (ms_cuda_fast_gram_takes(call, gemm)) return ms_cuda_fast_gram(call, gemm);
    copies all = plan_of(call, gemm);
    if (all.left >= 0) MS_TRY(widen(call, gemm->left.operand, all.left));
    if (all.right >= 0 && all.right != all.left) MS_TRY(widen(call, gemm->right.operand, all.right));
    if (all.y >= 0 && gemm->c->data) MS_TRY(widen(call, gemm->c, all.y));
    MS_TRY(multiply(call, gemm, all));
    if (all.y >= 0) {
        ms_convert_op<float, ms_bf16> op = {copy_at(call, all.y), (ms_bf16 *)gemm->y->data};
        MS_TRY(ms_run_elementwise(call, op, gemm->y->count, ms_is_packs(gemm->y, gemm->y->count, op.WIDTH)));
    }
    if (!gemm->symmetric) return MS_OK;
    return MS_BY_DTYPE(gemm->y->dtype, mirror, call, gemm);
}
