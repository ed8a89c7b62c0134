/* clip_factor: y [2] = {norm, factor}: norm = sqrt(sum(x)) by the reduction rule, factor = max_norm / (norm + 1e-6), at
   most 1 (a NaN stays); x [n] holds sums of squares.  The constant is that of PyTorch's clip_grad_norm_. */
#include "backend/cpu/reduce.h"
#include "backend/exact.h"

ms_status MS_KERNEL(clip_factor)(const ms_cpu_call *call) {
    real *y = call->out[0].data;
    if (!y) return MS_OK;
    real norm = ms_sqrt(ms_reduce_sum(call->in[0].data, ms_shape_count(&call->in[0].shape)));
    real factor = ms_div((real)call->attributes->clip_factor.max_norm, norm + (real)1e-6f);
    y[0] = norm;
    y[1] = factor > 1 ? (real)1 : factor;
    return MS_OK;
}

size_t MS_WORKSPACE(clip_factor)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
