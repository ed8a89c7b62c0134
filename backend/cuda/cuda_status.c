#include "backend/cuda/cuda_status.h"

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
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorExternalDevice:
    case cudaErrorMpsClientTerminated:
#if CUDART_VERSION >= 13000
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
#endif
        return MS_DEVICE_LOST;
    default:
        return MS_INTERNAL;
    }
}

ms_status ms_cuda_status(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return MS_OK;
    /* The runtime remembers an error until it is asked: it must not be taken for that of the next launch. */
    (void)cudaGetLastError();
    return MS_FAIL(kind_of(error), "cuda: %s: %s: %s", what, cudaGetErrorName(error), cudaGetErrorString(error));
}
