#include "backend/cuda/cuda_buffer.h"

#include <stdlib.h>

static ms_status fill(ms_cuda_memory *memory, size_t size_bytes, ms_cuda_buffer *buffer) {
    ms_cuda_context *context = memory->context;
    MS_TRY(ms_cuda_allocate(memory, size_bytes, &buffer->memory));
    buffer->size_bytes = size_bytes;
    MS_TRY(ms_cuda_check(context, cudaEventCreateWithFlags(&buffer->written, cudaEventDisableTiming),
                         "creating an event"));
    MS_TRY(ms_cuda_check(context, cudaMemsetAsync(buffer->memory, 0, size_bytes, context->stream), "zeroing memory"));
    return ms_cuda_note_write(context, buffer);
}

ms_status ms_cuda_buffer_create(ms_cuda_memory *memory, size_t size_bytes, ms_cuda_buffer **out) {
    *out = NULL;
    ms_cuda_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory");
    ms_status status = fill(memory, size_bytes, buffer);
    if (status == MS_OK)
        *out = buffer;
    else
        ms_cuda_buffer_destroy(memory, buffer);
    return status;
}

void ms_cuda_buffer_destroy(ms_cuda_memory *memory, ms_cuda_buffer *buffer) {
    if (!buffer) return;
    ms_cuda_release(memory, buffer->memory, buffer->size_bytes);
    if (buffer->written) (void)cudaEventDestroy(buffer->written);
    free(buffer);
}

ms_status ms_cuda_note_write(ms_cuda_context *context, ms_cuda_buffer *buffer) {
    return ms_cuda_check(context, cudaEventRecord(buffer->written, context->stream), "recording an event");
}
