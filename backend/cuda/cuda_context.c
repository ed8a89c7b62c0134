#include "backend/cuda/cuda_context.h"

#include <stdint.h>
#include <stdio.h>

#include "platform/output.h"

static ms_status refuse_lost(const ms_cuda_context *context) {
    return MS_FAIL(MS_DEVICE_LOST, "cuda:%d (%s): the device is lost; start again and resume from the last checkpoint",
                   context->index, context->name);
}

ms_status ms_cuda_check(ms_cuda_context *context, cudaError_t error, const char *what) {
    ms_status status = ms_cuda_status(error, what);
    if (status == MS_OK) return MS_OK;
    if (status != MS_DEVICE_LOST) return ms_status_note(status, "cuda:%d (%s)", context->index, context->name);
    context->lost = true;
    return ms_status_note(status, "cuda:%d (%s), lost (MUONSCOPE_CUDA_SYNC=1 finds the op that did it)", context->index,
                          context->name);
}

ms_status ms_cuda_use(ms_cuda_context *context) {
    if (context->lost) return refuse_lost(context);
    return ms_cuda_check(context, cudaSetDevice(context->index), "choosing the device");
}

static ms_status describe(ms_cuda_context *context) {
    struct cudaDeviceProp properties;
    MS_CUDA_TRY(cudaGetDeviceProperties(&properties, context->index), "reading the device's properties");
    snprintf(context->name, sizeof context->name, "%.63s", properties.name);
    context->has_pools = properties.memoryPoolsSupported != 0;
    context->limits = (ms_cuda_limits){.compute_major = properties.major,
                                       .compute_minor = properties.minor,
                                       .n_multiprocessors = properties.multiProcessorCount,
                                       .shared_bytes = properties.sharedMemPerBlock,
                                       .shared_optin_bytes = properties.sharedMemPerBlockOptin};
    return MS_OK;
}

/* Freed memory stays with the process: a program that is compiled again does not ask the driver again. */
static ms_status keep_pool(const ms_cuda_context *context) {
    cudaMemPool_t pool;
    uint64_t threshold = UINT64_MAX;
    if (!context->has_pools) {
        ms_print_line(stderr,
                      "muonscope: cuda:%d (%s): no memory pools here; memory is taken and given back by cudaMalloc and "
                      "cudaFree, which wait for the device",
                      context->index, context->name);
        return MS_OK;
    }
    MS_CUDA_TRY(cudaDeviceGetDefaultMemPool(&pool, context->index), "finding the memory pool");
    MS_CUDA_TRY(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold), "keeping the memory pool");
    return MS_OK;
}

ms_status ms_cuda_context_init(int index, ms_cuda_context *out) {
    *out = (ms_cuda_context){.index = index};
    MS_CUDA_TRY(cudaSetDevice(index), "choosing the device");
    MS_TRY(describe(out));
    MS_TRY(keep_pool(out));
    MS_CUDA_TRY(cudaStreamCreateWithFlags(&out->stream, cudaStreamNonBlocking), "creating a stream");
    MS_CUDA_TRY(cudaStreamCreateWithFlags(&out->copy_stream, cudaStreamNonBlocking), "creating a stream");
    return MS_OK;
}

/* Errors at the end have no one left to hear them. */
void ms_cuda_context_finish(ms_cuda_context *context) {
    if (context->stream) (void)cudaStreamSynchronize(context->stream);
    if (context->copy_stream) (void)cudaStreamDestroy(context->copy_stream);
    if (context->stream) (void)cudaStreamDestroy(context->stream);
}
