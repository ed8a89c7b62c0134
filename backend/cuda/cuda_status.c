/* CUDA errors as statuses. */
#include <stdio.h>
#include <string.h>

#include "backend/cuda/cuda_kernel.h"

static ms_status kind_of(cudaError_t error) {
    switch (error) {
    case cudaErrorMemoryAllocation:
        return MS_OUT_OF_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorDevicesUnavailable:
        return MS_UNSUPPORTED;
    /* The context is gone after any of these. */
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
        return MS_DEVICE_LOST;
    default:
        return MS_INTERNAL;
    }
}

ms_status ms_cuda_status(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return MS_OK;
    return MS_FAIL(kind_of(error), "cuda: %s: %s: %s", what, cudaGetErrorName(error), cudaGetErrorString(error));
}

static void append_shape(char *text, size_t size, const ms_cuda_operand *operand) {
    char shape[48];
    size_t used = strlen(text);
    if (operand->count == 0 || used + sizeof shape >= size) return;
    snprintf(text + used, size - used, " %s%s", ms_dtype_name(operand->dtype),
             ms_shape_text(&operand->shape, shape, sizeof shape));
}

ms_status ms_cuda_launched(const ms_cuda_call *call) {
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) return MS_OK;
    char shapes[400] = "";
    for (int i = 0; i < MS_MAX_INPUTS; i++) append_shape(shapes, sizeof shapes, &call->in[i]);
    strcat(shapes, " ->");
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) append_shape(shapes, sizeof shapes, &call->out[i]);
    return ms_status_note(ms_cuda_status(error, "launch"), "%s:%s", ms_op_get(call->op)->name, shapes);
}
