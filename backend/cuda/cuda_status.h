/* CUDA errors as statuses. */
#ifndef MS_BACKEND_CUDA_CUDA_STATUS_H
#define MS_BACKEND_CUDA_CUDA_STATUS_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "platform/status.h"

/* The status of a CUDA call: "cuda: <what>: cudaErrorLaunchFailure: ..."; MS_OK for cudaSuccess.  Memory, lost devices
   and missing drivers get the status of their kind. */
ms_status ms_cuda_status(cudaError_t error, const char *what);
#define MS_CUDA_TRY(call, what) MS_TRY(ms_cuda_status((call), (what)))

#ifdef __cplusplus
}
#endif
#endif
