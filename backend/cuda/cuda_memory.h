/* Device memory, in the order of the stream; where the device has no memory pools, at once, after waiting. */
#ifndef MS_BACKEND_CUDA_CUDA_MEMORY_H
#define MS_BACKEND_CUDA_CUDA_MEMORY_H

#ifdef __cplusplus
extern "C" {
#endif
#include "backend/cuda/cuda_context.h"

typedef struct ms_cuda_memory {
    ms_cuda_context *context; /* borrowed */
    size_t held_bytes;        /* given out */
} ms_cuda_memory;

/* MS_OUT_OF_MEMORY names the bytes asked for, held and free. */
ms_status ms_cuda_allocate(ms_cuda_memory *memory, size_t size_bytes, void **out);
/* NULL is fine. */
void ms_cuda_release(ms_cuda_memory *memory, void *address, size_t size_bytes);

#ifdef __cplusplus
}
#endif
#endif
