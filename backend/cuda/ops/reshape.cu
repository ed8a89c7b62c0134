// reshape: y = x with another shape.  Nothing to do when y shares x's storage.
#include "backend/cuda/ops/copy.cuh"

extern "C" ms_status ms_cuda_reshape(const ms_cuda_call *call) {
    return call->out[0].data ? ms_copy_all(call, &call->in[0], call->out[0].data) : MS_OK;
}

extern "C" size_t ms_cuda_reshape_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
