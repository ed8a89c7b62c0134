// attention: causal softmax attention with grouped key/value heads.  Definition: backend/cpu/attention.c.
#include "backend/cuda/ops/attention.cuh"

extern "C" ms_status ms_cuda_attention(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    bool fast = call->numerics == MS_NUMERICS_FAST && ms_cuda_fast_attention_takes(call);
    return fast ? ms_cuda_fast_attention(call) : ms_cuda_exact_attention(call);
}

extern "C" size_t ms_cuda_attention_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
