/* Opening and closing a CUDA device; its memory. */
#include "backend/cuda/cuda_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ms_status refuse_lost(const ms_backend_device *device) {
    return MS_FAIL(MS_DEVICE_LOST, "cuda:%d (%s): the device is lost; start again and resume from the last checkpoint",
                   device->index, device->name);
}

ms_status ms_cuda_check(ms_backend_device *device, cudaError_t error, const char *what) {
    ms_status status = ms_cuda_status(error, what);
    if (status == MS_OK) return MS_OK;
    if (status != MS_DEVICE_LOST) return ms_status_note(status, "cuda:%d (%s)", device->index, device->name);
    device->lost = true;
    return ms_status_note(status, "cuda:%d (%s), lost (MUONSCOPE_CUDA_SYNC=1 finds the op that did it)", device->index,
                          device->name);
}

ms_status ms_cuda_use(ms_backend_device *device) {
    if (device->lost) return refuse_lost(device);
    return ms_cuda_check(device, cudaSetDevice(device->index), "choosing the device");
}

ms_status ms_cuda_check_fault(ms_backend_device *device) {
    volatile ms_cuda_fault *fault = device->fault;
    if (fault->node == 0) return MS_OK;
    /* The kernel writes the node first, and may be at work beside a download: the value is there when all is over. */
    MS_TRY(ms_cuda_check(device, cudaStreamSynchronize(device->stream), "waiting for the device"));
    unsigned int node = fault->node - 1;
    int value = fault->value;
    fault->node = 0;
    char text[96];
    int64_t limit = 0;
    ms_cuda_describe_node(device, node, text, sizeof text, &limit);
    return MS_FAIL(MS_INVALID, "%s: value %d is outside of [0, %lld)", text, value, (long long)limit);
}

ms_status ms_cuda_wait(ms_backend_device *device) {
    MS_TRY(ms_cuda_use(device));
    MS_TRY(ms_cuda_check(device, cudaStreamSynchronize(device->stream), "waiting for the device"));
    MS_TRY(ms_cuda_check(device, cudaStreamSynchronize(device->copy_stream), "waiting for copies"));
    return ms_cuda_check_fault(device);
}

/* The pool keeps what was freed; pieces of that may be of no use for what is wanted now. */
static ms_status give_back_unused(ms_backend_device *device, bool *out_gave) {
    cudaMemPool_t pool;
    uint64_t reserved_bytes = 0, used_bytes = 0;
    *out_gave = false;
    MS_TRY(ms_cuda_check(device, cudaStreamSynchronize(device->stream), "waiting for the device"));
    MS_TRY(ms_cuda_check(device, cudaDeviceGetDefaultMemPool(&pool, device->index), "finding the memory pool"));
    MS_TRY(ms_cuda_check(device, cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved_bytes),
                         "reading the memory pool"));
    MS_TRY(ms_cuda_check(device, cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used_bytes),
                         "reading the memory pool"));
    *out_gave = reserved_bytes > used_bytes;
    return *out_gave ? ms_cuda_check(device, cudaMemPoolTrimTo(pool, 0), "trimming the memory pool") : MS_OK;
}

ms_status ms_cuda_allocate(ms_backend_device *device, size_t size_bytes, void **out) {
    *out = NULL;
    MS_TRY(ms_cuda_use(device));
    size_t wanted = size_bytes ? size_bytes : 1;
    cudaError_t error = cudaMallocAsync(out, wanted, device->stream);
    if (error == cudaErrorMemoryAllocation) {
        bool gave;
        (void)cudaGetLastError(); /* not sticky */
        MS_TRY(give_back_unused(device, &gave));
        if (gave) error = cudaMallocAsync(out, wanted, device->stream);
    }
    if (error == cudaErrorMemoryAllocation) {
        size_t free_bytes = 0, total_bytes = 0;
        (void)cudaGetLastError();
        (void)cudaMemGetInfo(&free_bytes, &total_bytes);
        *out = NULL;
        return MS_FAIL(MS_OUT_OF_MEMORY,
                       "cuda:%d (%s): no memory for %zu bytes; %zu bytes are held, %zu of %zu are free", device->index,
                       device->name, size_bytes, device->held_bytes, free_bytes, total_bytes);
    }
    MS_TRY(ms_cuda_check(device, error, "allocating memory"));
    device->held_bytes += size_bytes;
    return MS_OK;
}

void ms_cuda_release(ms_backend_device *device, void *memory, size_t size_bytes) {
    if (!memory) return;
    device->held_bytes -= size_bytes;
    if (device->lost) return; /* the context is gone, and its memory with it */
    (void)cudaSetDevice(device->index);
    /* In stream order: whatever uses it was queued before.  An error here was or will be told by the next wait. */
    (void)cudaFreeAsync(memory, device->stream);
}

static ms_status grow(ms_backend_device *device, const char *what, size_t wanted, void **memory, size_t *size) {
    if (wanted <= *size) return MS_OK;
    MS_TRY(ms_cuda_wait(device));
    ms_cuda_release(device, *memory, *size);
    *memory = NULL;
    *size = 0;
    device->generation++;
    MS_TRY_NOTE(ms_cuda_allocate(device, wanted, memory), "%s", what);
    *size = wanted;
    return MS_OK;
}

ms_status ms_cuda_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes) {
    MS_TRY(grow(device, "arena", arena_bytes, &device->arena, &device->arena_bytes));
    return grow(device, "workspace", workspace_bytes, &device->workspace, &device->workspace_bytes);
}

static ms_status describe(ms_backend_device *device) {
    struct cudaDeviceProp properties;
    MS_CUDA_TRY(cudaGetDeviceProperties(&properties, device->index), "reading the device's properties");
    snprintf(device->name, sizeof device->name, "%.63s", properties.name);
    device->limits = (ms_cuda_limits){.compute_major = properties.major,
                                      .compute_minor = properties.minor,
                                      .n_multiprocessors = properties.multiProcessorCount,
                                      .shared_bytes = properties.sharedMemPerBlock,
                                      .shared_optin_bytes = properties.sharedMemPerBlockOptin};
    return MS_OK;
}

/* Freed memory stays with the process: a program that is compiled again does not ask the driver again. */
static ms_status keep_pool(const ms_backend_device *device) {
    cudaMemPool_t pool;
    uint64_t threshold = UINT64_MAX;
    MS_CUDA_TRY(cudaDeviceGetDefaultMemPool(&pool, device->index), "finding the memory pool");
    MS_CUDA_TRY(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold), "keeping the memory pool");
    return MS_OK;
}

static ms_status set_up(ms_backend_device *device) {
    MS_CUDA_TRY(cudaSetDevice(device->index), "choosing the device");
    MS_TRY(describe(device));
    MS_TRY(keep_pool(device));
    MS_CUDA_TRY(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking), "creating a stream");
    MS_CUDA_TRY(cudaStreamCreateWithFlags(&device->copy_stream, cudaStreamNonBlocking), "creating a stream");
    MS_CUDA_TRY(cudaHostAlloc((void **)&device->fault, sizeof *device->fault, cudaHostAllocMapped), "pinning memory");
    memset(device->fault, 0, sizeof *device->fault);
    MS_CUDA_TRY(cudaHostGetDevicePointer((void **)&device->fault_on_device, device->fault, 0), "mapping memory");
    MS_TRY(ms_cuda_transfer_init(device));
    if (device->numerics == MS_NUMERICS_FAST) MS_TRY(ms_cuda_blas_create(device, &device->blas));
    return MS_OK;
}

ms_status ms_cuda_device_open(int index, const ms_device_options *options, ms_backend_device **out) {
    *out = NULL;
    if (options->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "cuda:%d: the f64 oracle runs on device cpu only", index);
    ms_backend_device *device = calloc(1, sizeof *device);
    if (!device) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory");
    device->index = index;
    device->numerics = options->numerics;
    device->generation = 1;
    ms_status status = set_up(device);
    if (status != MS_OK) {
        ms_cuda_device_close(device);
        return status;
    }
    *out = device;
    return MS_OK;
}

void ms_cuda_device_close(ms_backend_device *device) {
    if (!device) return;
    /* Errors at the end have no one left to hear them. */
    (void)cudaSetDevice(device->index);
    if (device->stream) (void)cudaStreamSynchronize(device->stream);
    if (device->copy_stream) (void)cudaStreamSynchronize(device->copy_stream);
    ms_cuda_blas_destroy(device, device->blas);
    ms_cuda_release(device, device->arena, device->arena_bytes);
    ms_cuda_release(device, device->workspace, device->workspace_bytes);
    ms_cuda_transfer_finish(device);
    if (device->fault) (void)cudaFreeHost(device->fault);
    if (device->stream) (void)cudaStreamSynchronize(device->stream);
    if (device->copy_stream) (void)cudaStreamDestroy(device->copy_stream);
    if (device->stream) (void)cudaStreamDestroy(device->stream);
    free(device);
}
