// axpby: y = (a x0) + (b x1), or y = a x0; elementwise; y may be x0 or x1.  Definition: backend/cpu/axpby.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

template <class T> struct axpby_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x0, *x1; // x1 NULL: absent
    T *y;
    ms_coefficient a, b;
    const float *step_scalars;

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> value = ms_load_pack<W>(x0, i);
        float factor_a = ms_coefficient_value(a, step_scalars);
        if (x1) {
            ms_pack<W> other = ms_load_pack<W>(x1, i);
            float factor_b = ms_coefficient_value(b, step_scalars);
#pragma unroll
            for (int j = 0; j < W; j++)
                value.x[j] = ms_exact_formulas::ms_formula_axpby(factor_a, value.x[j], factor_b, other.x[j]);
        } else {
#pragma unroll
            for (int j = 0; j < W; j++) value.x[j] = ms_exact_formulas::ms_formula_mul(factor_a, value.x[j]);
        }
        ms_store_pack<W>(y, i, value);
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_axpby_attributes *axpby = &call->attributes->axpby;
    axpby_op<T> op = {
        (const T *)call->in[0].data, (const T *)call->in[1].data, (T *)call->out[0].data, axpby->a, axpby->b,
        call->step_scalars};
    return ms_run_elements(call, op, call->out[0].count);
}

extern "C" ms_status ms_cuda_axpby(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_axpby_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
