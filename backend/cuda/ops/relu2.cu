// relu2: r = x < 0 ? 0 : x (so NaN stays); y = r r; y may be x.  Definition: backend/cpu/relu2.c.
#include "backend/cuda/ops/elementwise.cuh"

template <class T> struct relu2_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x;
    T *y;

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> value = ms_load_pack<W>(x, i);
#pragma unroll
        for (int j = 0; j < W; j++) {
            float r = value.x[j] < 0.0f ? 0.0f : value.x[j];
            value.x[j] = ms_mul(r, r);
        }
        ms_store_pack<W>(y, i, value);
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    relu2_op<T> op = {(const T *)call->in[0].data, (T *)call->out[0].data};
    return ms_run_elements(call, op, call->out[0].count);
}

extern "C" ms_status ms_cuda_relu2(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_relu2_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
