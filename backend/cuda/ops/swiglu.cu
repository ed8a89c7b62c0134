// swiglu: y = (gate sigmoid(gate)) up; y may be gate or up.  Definition: backend/cpu/swiglu.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/sigmoid.cuh"

template <class T, bool FAST> struct swiglu_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *gate, *up;
    T *y;

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> value = ms_load_pack<W>(gate, i);
#pragma unroll
        for (int j = 0; j < W; j++) value.x[j] = ms_mul(value.x[j], ms_sigmoid<FAST>(value.x[j]));
        ms_store_pack<W>(y, i, ms_pack_mul(value, ms_load_pack<W>(up, i)));
    }
};

template <class T, bool FAST> static ms_status run_by(const ms_cuda_call *call) {
    swiglu_op<T, FAST> op = {(const T *)call->in[0].data, (const T *)call->in[1].data, (T *)call->out[0].data};
    return ms_run_elements(call, op, call->out[0].count);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    return call->numerics == MS_NUMERICS_FAST ? run_by<T, true>(call) : run_by<T, false>(call);
}

extern "C" ms_status ms_cuda_swiglu(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_swiglu_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
