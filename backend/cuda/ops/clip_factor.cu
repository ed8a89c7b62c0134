// clip_factor: y = {norm, factor}: norm = sqrt(sum(x)), factor = max_norm / (norm + 1e-6), at most 1 (a NaN stays). One
// block. Definition: backend/cpu/clip_factor.c.
#include "backend/cuda/ops/reduce.cuh"

static __global__ void __launch_bounds__(MS_REDUCE_THREADS)
    clip_factor_kernel(const float *x, float *y, float max_norm, unsigned int count) {
    float norm = ms_sqrt(ms_block_reduce(x, count));
    float factor = ms_div(max_norm, ms_add(norm, 1e-6f));
    if (threadIdx.x > 0) return;
    y[0] = norm;
    y[1] = factor > 1.0f ? 1.0f : factor;
}

extern "C" ms_status ms_cuda_clip_factor(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0];
    if (!call->out[0].data) return MS_OK;
    if (x->count > (int64_t)MS_REDUCE_BLOCK * MS_REDUCE_BLOCK)
        return MS_FAIL(MS_UNSUPPORTED, "cuda: clip_factor: %lld numbers, at most %d are possible", (long long)x->count,
                       MS_REDUCE_BLOCK * MS_REDUCE_BLOCK);
    MS_LAUNCH(clip_factor_kernel, 1, MS_REDUCE_THREADS, 0, call->stream, (const float *)x->data,
              (float *)call->out[0].data, call->attributes->clip_factor.max_norm, (unsigned int)x->count);
    return ms_cuda_launched(call);
}

extern "C" size_t ms_cuda_clip_factor_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
