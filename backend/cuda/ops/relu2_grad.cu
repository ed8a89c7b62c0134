// relu2_grad: r = x < 0 ? 0 : x; dx = (2 r) dy; dx may be x or dy.  Definition: backend/cpu/relu2_grad.c.
#include "backend/cuda/ops/elementwise.cuh"

template <class T> struct relu2_grad_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x, *dy;
    T *dx;

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> value = ms_load_pack<W>(x, i), slope = ms_load_pack<W>(dy, i);
#pragma unroll
        for (int j = 0; j < W; j++) {
            float r = value.x[j] < 0.0f ? 0.0f : value.x[j];
            value.x[j] = ms_mul(ms_mul(2.0f, r), slope.x[j]);
        }
        ms_store_pack<W>(dx, i, value);
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    relu2_grad_op<T> op = {(const T *)call->in[0].data, (const T *)call->in[1].data, (T *)call->out[0].data};
    return ms_run_elements(call, op, call->out[0].count);
}

extern "C" ms_status ms_cuda_relu2_grad(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_relu2_grad_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
