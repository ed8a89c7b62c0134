// axpby: y = (a x0) + (b x1), or y = a x0; elementwise; y may be x0 or x1.  Definition: backend/cpu/axpby.c.
#include "backend/cuda/cuda_kernel.cuh"

template <class T>
static __global__ void axpby_kernel(const T *x0, const T *x1, T *y, ms_coefficient a, ms_coefficient b,
                                    const float *step_scalars, unsigned int count) {
    unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float value = ms_mul(ms_coefficient_value(a, step_scalars), ms_load_element(x0, i));
    if (x1) value = ms_add(value, ms_mul(ms_coefficient_value(b, step_scalars), ms_load_element(x1, i)));
    ms_store_element(y, i, value);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    const unsigned int threads = 256;
    int64_t count = call->out[0].count;
    MS_LAUNCH(axpby_kernel<T>, ms_blocks(count, threads), threads, 0, call->stream, (const T *)call->in[0].data,
              (const T *)call->in[1].data, (T *)call->out[0].data, call->attributes->axpby.a, call->attributes->axpby.b,
              call->step_scalars, (unsigned int)count);
    return ms_cuda_launched(call);
}

extern "C" ms_status ms_cuda_axpby(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_axpby_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
