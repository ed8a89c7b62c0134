/* Memory of one variable, and the event that tells when its last write is done. */
#ifndef MS_BACKEND_CUDA_CUDA_BUFFER_H
#define MS_BACKEND_CUDA_CUDA_BUFFER_H

#include "backend/cuda/cuda_memory.h"

typedef struct ms_cuda_buffer {
    void *memory; /* device address */
    size_t size_bytes;
    cudaEvent_t written; /* recorded on the device's stream behind the last write */
} ms_cuda_buffer;

/* Memory that is zero.  *out is NULL unless MS_OK; the caller destroys it.  destroy(NULL) is fine. */
ms_status ms_cuda_buffer_create(ms_cuda_memory *memory, size_t size_bytes, ms_cuda_buffer **out);
void ms_cuda_buffer_destroy(ms_cuda_memory *memory, ms_cuda_buffer *buffer);
/* To be called when a write to the buffer was queued on the device's stream. */
ms_status ms_cuda_note_write(ms_cuda_context *context, ms_cuda_buffer *buffer);

#endif
