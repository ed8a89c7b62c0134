/* Memory of one variable, and the event that tells when its last write is done. */
#include <stdlib.h>

#include "backend/cuda/cuda_device.h"

static ms_status fill(ms_backend_device *device, size_t size_bytes, ms_cuda_buffer *buffer) {
    MS_TRY(ms_cuda_allocate(device, size_bytes, &buffer->memory));
    buffer->size_bytes = size_bytes;
    MS_TRY(
        ms_cuda_check(device, cudaEventCreateWithFlags(&buffer->written, cudaEventDisableTiming), "creating an event"));
    MS_TRY(ms_cuda_check(device, cudaMemsetAsync(buffer->memory, 0, size_bytes, device->stream), "zeroing memory"));
    return ms_cuda_note_write(device, buffer);
}

ms_status ms_cuda_buffer_create(ms_backend_device *device, size_t size_bytes, ms_cuda_buffer **out) {
    *out = NULL;
    ms_cuda_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory");
    ms_status status = fill(device, size_bytes, buffer);
    if (status == MS_OK)
        *out = buffer;
    else
        ms_cuda_buffer_destroy(device, buffer);
    return status;
}

void ms_cuda_buffer_destroy(ms_backend_device *device, ms_cuda_buffer *buffer) {
    if (!buffer) return;
    ms_cuda_release(device, buffer->memory, buffer->size_bytes);
    if (buffer->written) (void)cudaEventDestroy(buffer->written);
    free(buffer);
}

ms_status ms_cuda_note_write(ms_backend_device *device, ms_cuda_buffer *buffer) {
    return ms_cuda_check(device, cudaEventRecord(buffer->written, device->stream), "recording an event");
}
