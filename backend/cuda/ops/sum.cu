// sum: y [1] = sum of all elements by the reduction rule.  Definition: backend/cpu/sum.c.
#include "backend/cuda/ops/sums.cuh"

static ms_parts parts_of(const ms_cuda_call *call) {
    ms_parts parts = {1, 0, {0}, {0}};
    ms_parts_add(&parts, call->in[0].count);
    return parts;
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    ms_parts parts = parts_of(call);
    return ms_run_sums<false, T>(call, &parts);
}

extern "C" ms_status ms_cuda_sum(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_sum_workspace(const ms_cuda_call *call) {
    ms_parts parts = parts_of(call);
    return ms_sums_workspace(&parts);
}
