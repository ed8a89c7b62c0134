// Ops whose results each depend on one place of their operands.  An op is a struct passed by value to the kernel:
//     enum { WIDTH };                                        numbers in a pack
//     template <int W> __device__ void run(unsigned i) const;    results i to i + W - 1, W being WIDTH or 1
// run reads what it needs before it writes, so that it may work in place.
#ifndef MS_BACKEND_CUDA_ELEMENTWISE_CUH
#define MS_BACKEND_CUDA_ELEMENTWISE_CUH

#include "backend/cuda/ops/pack.cuh"

enum { MS_ELEMENTWISE_THREADS = 256 };

template <int W, class Op>
static __global__ void __launch_bounds__(MS_ELEMENTWISE_THREADS) ms_elementwise_kernel(Op op, unsigned int n_packs) {
    unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n_packs) op.template run<W>(i * W);
}

template <int W, class Op>
static ms_status ms_launch_elementwise(const ms_cuda_call *call, const Op &op, int64_t n_packs) {
    MS_LAUNCH((ms_elementwise_kernel<W, Op>), ms_thread_blocks(n_packs, MS_ELEMENTWISE_THREADS), MS_ELEMENTWISE_THREADS, 0,
              call->stream, op, (unsigned int)n_packs);
    return ms_cuda_launched(call);
}

// `packs`: count and all operands are whole packs of Op::WIDTH.
template <class Op>
static ms_status ms_run_elementwise(const ms_cuda_call *call, const Op &op, int64_t count, bool packs) {
    if (packs) return ms_launch_elementwise<Op::WIDTH>(call, op, count / Op::WIDTH);
    return ms_launch_elementwise<1>(call, op, count);
}

// Where all operands but single numbers have `count` elements.
template <class Op> static ms_status ms_run_elements(const ms_cuda_call *call, const Op &op, int64_t count) {
    return ms_run_elementwise(call, op, count, count % Op::WIDTH == 0 && ms_all_packs(call, count, Op::WIDTH));
}

// y = x between f32 and bf16.
template <class X, class Y> struct ms_convert_op {
    enum { WIDTH = 8 };
    const X *x;
    Y *y;

    template <int W> __device__ void run(unsigned int i) const { ms_store_pack<W>(y, i, ms_load_pack<W>(x, i)); }
};

#endif
