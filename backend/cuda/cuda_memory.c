#include "backend/cuda/cuda_memory.h"

#include <stdint.h>

/* The pool keeps what was freed; pieces of that may be of no use for what is wanted now. */
static ms_status give_back_unused(ms_cuda_context *context, bool *out_gave) {
    cudaMemPool_t pool;
    uint64_t reserved_bytes = 0, used_bytes = 0;
    *out_gave = false;
    if (!context->has_pools) return MS_OK;
    MS_TRY(ms_cuda_check(context, cudaStreamSynchronize(context->stream), "waiting for the device"));
    MS_TRY(ms_cuda_check(context, cudaDeviceGetDefaultMemPool(&pool, context->index), "finding the memory pool"));
    MS_TRY(ms_cuda_check(context, cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved_bytes),
                         "reading the memory pool"));
    MS_TRY(ms_cuda_check(context, cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used_bytes),
                         "reading the memory pool"));
    *out_gave = reserved_bytes > used_bytes;
    return *out_gave ? ms_cuda_check(context, cudaMemPoolTrimTo(pool, 0), "trimming the memory pool") : MS_OK;
}

static cudaError_t take(const ms_cuda_context *context, size_t size_bytes, void **out) {
    return context->has_pools ? cudaMallocAsync(out, size_bytes, context->stream) : cudaMalloc(out, size_bytes);
}

ms_status ms_cuda_allocate(ms_cuda_memory *memory, size_t size_bytes, void **out) {
    ms_cuda_context *context = memory->context;
    *out = NULL;
    MS_TRY(ms_cuda_use(context));
    size_t wanted = size_bytes ? size_bytes : 1;
    cudaError_t error = take(context, wanted, out);
    if (error == cudaErrorMemoryAllocation) {
        bool gave;
        (void)cudaGetLastError(); /* not sticky */
        MS_TRY(give_back_unused(context, &gave));
        if (gave) error = take(context, wanted, out);
    }
    if (error == cudaErrorMemoryAllocation) {
        size_t free_bytes = 0, total_bytes = 0;
        (void)cudaGetLastError();
        (void)cudaMemGetInfo(&free_bytes, &total_bytes);
        *out = NULL;
        return MS_FAIL(MS_OUT_OF_MEMORY,
                       "cuda:%d (%s): no memory for %zu bytes; %zu bytes are held, %zu of %zu are free", context->index,
                       context->name, size_bytes, memory->held_bytes, free_bytes, total_bytes);
    }
    MS_TRY(ms_cuda_check(context, error, "allocating memory"));
    memory->held_bytes += size_bytes;
    return MS_OK;
}

void ms_cuda_release(ms_cuda_memory *memory, void *address, size_t size_bytes) {
    const ms_cuda_context *context = memory->context;
    if (!address) return;
    memory->held_bytes -= size_bytes;
    if (context->lost) return; /* the context is gone, and its memory with it */
    (void)cudaSetDevice(context->index);
    /* In stream order: whatever uses it was queued before; cudaFree waits for that.  An error here was or will be told
       by the next wait. */
    if (context->has_pools)
        (void)cudaFreeAsync(address, context->stream);
    else
        (void)cudaFree(address);
}
