// RMS norm and its gradient over rows: what rms_norm, rms_norm_grad and add_rms_norm share; the arithmetic is that of
// backend/cpu/norm.h.
//
// A thread block works on ROWS rows: on four of at most 1024 numbers, a warp each, or on one.  Each thread reads and writes
// its packs of the row, neighbours beside neighbours.  Terms of the sum pass through shared memory, where each lane of
// the reduction rule finds its own.  What was read stays in registers for the results, in rows of at most 4096 numbers;
// the pieces of longer rows are read again.
#ifndef MS_BACKEND_CUDA_NORM_CUH
#define MS_BACKEND_CUDA_NORM_CUH

#include "backend/cuda/ops/reduce.cuh"

enum { MS_NORM_THREADS = 128, MS_NORM_SHORT_ROW = 1024 };

// rsqrt(sum of squares (1/C) + epsilon)
static __device__ __forceinline__ float ms_norm_rstd(float sum_squares, unsigned int columns, float epsilon) {
    return ms_rsqrt(ms_add(ms_mul(sum_squares, ms_reciprocal((float)columns)), epsilon));
}

// (x rstd) gain
template <int W>
static __device__ __forceinline__ ms_pack<W> ms_norm_apply(const ms_pack<W> &x, const ms_pack<W> &gain, float rstd) {
    return ms_pack_mul(ms_pack_scale(x, rstd), gain);
}

// n = x rstd and t = dy gain of the gradient.
template <int W> struct ms_norm_grad_terms { ms_pack<W> n, t; };

// (t - n s) rstd
template <int W>
static __device__ __forceinline__ ms_pack<W> ms_norm_grad_result(const ms_norm_grad_terms<W> &terms, float s,
                                                                 float rstd) {
    ms_pack<W> dx;
#pragma unroll
    for (int j = 0; j < W; j++) dx.x[j] = ms_mul(ms_sub(terms.t.x[j], ms_mul(terms.n.x[j], s)), rstd);
    return dx;
}

// An op, passed by value, is a struct with
//     enum { WIDTH };                  numbers in a pack
//     template <int W> struct item;    what is kept of a pack, as it was in memory (pack.cuh)
//     template <int W> __device__ item<W> load(unsigned row, unsigned columns, unsigned c) const;
//         of numbers c to c + W - 1
//     template <int W> __device__ ms_pack<W> term(unsigned row, const item<W> &) const;
//         terms of the sum
//     __device__ float finish(unsigned row, unsigned columns, float sum, bool is_first) const;
//         a number for the results; is_first: one thread of the row, to write a statistic
//     template <int W> __device__ void result(unsigned row, unsigned columns, unsigned c, const item<W> &, float number)
//     const;
template <int W, int ROWS, class Op>
static __global__ void __launch_bounds__(MS_NORM_THREADS, 1)
    ms_norm_kernel(Op op, unsigned int rows, unsigned int columns) {
    typedef typename Op::template item<W> item;
    MS_SHARED(float, staged, [MS_REDUCE_BLOCK]);
    const unsigned int threads = MS_NORM_THREADS / ROWS, piece = MS_REDUCE_BLOCK / ROWS;
    const int n_kept = MS_REDUCE_BLOCK / MS_NORM_THREADS / W;
    unsigned int thread = threadIdx.x % threads, row = blockIdx.x * ROWS + threadIdx.x / threads;
    float *terms = staged + threadIdx.x / threads * piece;
    unsigned int present = row < rows ? columns : 0; // a thread block may have fewer than ROWS rows
    item kept[n_kept];
    ms_pack<1> level = {{ms_absent()}};
    float sum = ms_absent();
    for (unsigned int begin = 0; begin < columns; begin += piece) {
        if (begin > 0) __syncthreads(); // all warps have summed the last piece
#pragma unroll
        for (int k = 0; k < n_kept; k++) {
            unsigned int at = begin + (k * threads + thread) * W;
            if (begin + k * threads * W >= columns) break;
            kept[k] = op.template load<W>(min(row, rows - 1), columns, min(at, columns - W)); // stays unused past the end
        }
#pragma unroll
        for (int k = 0; k < n_kept; k++) {
            if (begin + k * threads * W >= columns) break;
            ms_store_pack<W>(terms, (k * threads + thread) * W, op.template term<W>(min(row, rows - 1), kept[k]));
        }
        __syncthreads();
        sum = ms_staged_sum(terms, present - begin < piece ? present - begin : piece);
        if (columns > MS_REDUCE_BLOCK) ms_level_add(level, sum, begin / MS_REDUCE_BLOCK, threadIdx.x % MS_LANES);
    }
    if (columns > MS_REDUCE_BLOCK) sum = ms_lane_tree(level);
    if (row >= rows) return;
    float number = op.finish(row, columns, sum, thread == 0);
    if (columns <= piece) {
#pragma unroll
        for (int k = 0; k < n_kept; k++) {
            unsigned int at = (k * threads + thread) * W;
            if (at < columns) op.result(row, columns, at, kept[k], number);
        }
    } else {
        for (unsigned int at = thread * W; at < columns; at += threads * W)
            op.result(row, columns, at, op.template load<W>(row, columns, at), number);
    }
}

template <int W, int ROWS, class Op>
static ms_status ms_launch_norm(const ms_cuda_call *call, const Op &op, int64_t rows, int64_t columns) {
    MS_LAUNCH((ms_norm_kernel<W, ROWS, Op>), ms_thread_blocks(rows, ROWS), MS_NORM_THREADS, 0, call->stream, op,
              (unsigned int)rows, (unsigned int)columns);
    return ms_cuda_launched(call);
}

// `packs`: the rows of all operands are whole packs of Op::WIDTH.
template <class Op>
static ms_status ms_run_norm(const ms_cuda_call *call, const Op &op, int64_t rows, int64_t columns, bool packs) {
    if (columns > (int64_t)MS_REDUCE_BLOCK * MS_REDUCE_BLOCK)
        return MS_FAIL(MS_UNSUPPORTED, "cuda: %s: rows of %lld numbers, at most %d are possible",
                       ms_op_get(call->op)->name, (long long)columns, MS_REDUCE_BLOCK * MS_REDUCE_BLOCK);
    const int width = Op::WIDTH;
    if (columns <= MS_NORM_SHORT_ROW)
        return packs ? ms_launch_norm<width, 4>(call, op, rows, columns)
                     : ms_launch_norm<1, 4>(call, op, rows, columns);
    return packs ? ms_launch_norm<width, 1>(call, op, rows, columns) : ms_launch_norm<1, 1>(call, op, rows, columns);
}

#endif
