// cast: y = x between f32 and bf16, rounding to nearest even.  Definition: backend/cpu/cast.c.
#include "backend/cuda/ops/copy.cuh"

template <class X, class Y> static ms_status run(const ms_cuda_call *call) {
    ms_convert_op<X, Y> op = {(const X *)call->in[0].data, (Y *)call->out[0].data};
    return ms_run_elements(call, op, call->out[0].count);
}

extern "C" ms_status ms_cuda_cast(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!y->data) return MS_OK;
    if (x->dtype == y->dtype) return ms_copy_all(call, x, y->data);
    return y->dtype == MS_DTYPE_BF16 ? run<float, ms_bf16>(call) : run<ms_bf16, float>(call);
}

extern "C" size_t ms_cuda_cast_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
