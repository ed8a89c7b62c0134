#include "backend/cuda/cuda_kernel.h"

ms_status ms_cuda_launched(const ms_cuda_call *call) {
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) return MS_OK;
    char shapes[400];
    ms_operands_text(call->in, call->out, shapes, sizeof shapes);
    return ms_status_note(ms_cuda_status(error, "launch"), "%s:%s", ms_op_get(call->op)->name, shapes);
}
