// swiglu_grad: with s = sigmoid(gate):  dgate = (dy up) (s (1 + gate (1 - s))),  dup = dy (gate s); dgate may be gate
// and dup may be up.  Definition: backend/cpu/swiglu_grad.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/sigmoid.cuh"

template <class T, bool FAST> struct swiglu_grad_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *gate, *up, *dy;
    T *dgate, *dup; // NULL: not wanted

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> g = ms_load_pack<W>(gate, i), u = ms_load_pack<W>(up, i), d = ms_load_pack<W>(dy, i);
        ms_pack<W> gate_slope, up_slope;
#pragma unroll
        for (int j = 0; j < W; j++) {
            float s = ms_sigmoid<FAST>(g.x[j]);
            float slope = ms_mul(s, ms_add(1.0f, ms_mul(g.x[j], ms_sub(1.0f, s))));
            gate_slope.x[j] = ms_mul(ms_mul(d.x[j], u.x[j]), slope);
            up_slope.x[j] = ms_mul(d.x[j], ms_mul(g.x[j], s));
        }
        if (dup) ms_store_pack<W>(dup, i, up_slope);
        if (dgate) ms_store_pack<W>(dgate, i, gate_slope);
    }
};

template <class T, bool FAST> static ms_status run_by(const ms_cuda_call *call) {
    swiglu_grad_op<T, FAST> op = {(const T *)call->in[0].data, (const T *)call->in[1].data, (const T *)call->in[2].data,
                                  (T *)call->out[0].data, (T *)call->out[1].data};
    return ms_run_elements(call, op, call->in[0].count);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    return call->numerics == MS_NUMERICS_FAST ? run_by<T, true>(call) : run_by<T, false>(call);
}

extern "C" ms_status ms_cuda_swiglu_grad(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_swiglu_grad_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
