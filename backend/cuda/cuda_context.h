/* What the parts of a device know of it: which one it is, its limits, its streams, whether it is lost. */
#ifndef MS_BACKEND_CUDA_CUDA_CONTEXT_H
#define MS_BACKEND_CUDA_CUDA_CONTEXT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "backend/cuda/cuda_limits.h"
#include "backend/cuda/cuda_status.h"

typedef struct ms_cuda_context {
    int index;     /* of "cuda:<index>" */
    char name[64]; /* of the device, for messages */
    ms_cuda_limits limits;
    bool has_pools;      /* memory in the order of a stream (cudaMallocAsync); some drivers and virtual GPUs lack it */
    cudaStream_t stream; /* programs and uploads, in order */
    cudaStream_t copy_stream; /* downloads, which wait for the last write to their buffer and for nothing else */
    bool lost;
} ms_cuda_context;

/* After an error: finish. */
ms_status ms_cuda_context_init(int index, ms_cuda_context *out);
/* Waits for what is at work on the streams, and destroys them; a zeroed one is fine. */
void ms_cuda_context_finish(ms_cuda_context *context);
/* Makes the device the calling thread's: launches, events and graphs belong to the current one, which another device's
   calls may have changed.  MS_DEVICE_LOST. */
ms_status ms_cuda_use(ms_cuda_context *context);
/* As ms_cuda_status, with the device's name, and remembers a lost device. */
ms_status ms_cuda_check(ms_cuda_context *context, cudaError_t error, const char *what);

#ifdef __cplusplus
}
#endif
#endif
