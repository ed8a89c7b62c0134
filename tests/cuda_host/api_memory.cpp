/* CUDA calls about memory.  What each promises is in NVIDIA's cuda_runtime_api.h. */
#include <cstring>

#include "tests/cuda_host/report.h"
#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/settings.h"

using namespace ms_cuda_host;

namespace {

char default_pool; /* its address is the handle of the one memory pool */

/* Address space, and a share of the device's memory. */
cudaError_t reserve_device(Runtime &runtime, size_t size_bytes, Allocation **out) {
    if (must_fail(FailingCall::MALLOC)) return cudaErrorMemoryAllocation;
    uint64_t available = settings().memory_bytes - runtime.device_used_bytes;
    *out = size_bytes <= available ? runtime.device.reserve(size_bytes) : nullptr;
    if (!*out) return cudaErrorMemoryAllocation;
    runtime.device_used_bytes += size_bytes;
    return cudaSuccess;
}

void release_device(Runtime &runtime, Allocation &allocation) {
    if (allocation.state != AllocationState::LIVE)
        fatal("double free of the allocation %p", static_cast<void *>(allocation.begin));
    runtime.device_used_bytes -= allocation.size_bytes;
    runtime.device.release(allocation);
}

/* Device memory must lie in one allocation; memory of the host must not be the device's. */
bool is_valid_side(Runtime &runtime, const void *address, size_t size_bytes, bool on_device) {
    if (on_device) return runtime.device.holds(address, size_bytes);
    return address && !runtime.device.contains(address);
}

cudaError_t check_copy(Runtime &runtime, const void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind) {
    if (kind == cudaMemcpyDefault) return cudaSuccess;
    bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    bool valid =
        is_valid_side(runtime, to, size_bytes, to_device) && is_valid_side(runtime, from, size_bytes, from_device);
    if (valid) return cudaSuccess;
    explain("copy of %zu bytes from %p to %p: not what its direction (%d) says, or beyond an allocation", size_bytes,
            from, to, kind);
    return cudaErrorInvalidValue;
}

cudaError_t submit_copy(Runtime &runtime, void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind,
                        cudaStream_t stream) {
    if (size_bytes == 0) return cudaSuccess;
    cudaError_t error = check_copy(runtime, to, from, size_bytes, kind);
    if (error != cudaSuccess) return error;
    std::string name = "copy of " + std::to_string(size_bytes) + " bytes";
    return runtime.submit(stream, name, [=] { memmove(to, from, size_bytes); });
}

} // namespace

extern "C" {

cudaError_t cudaMalloc(void **out, size_t size_bytes) {
    return api_call([&](Runtime &runtime) {
        if (!out) return cudaErrorInvalidValue;
        *out = nullptr;
        cudaError_t error = runtime.forbid_in_capture();
        if (error != cudaSuccess || size_bytes == 0) return error;
        Allocation *allocation = nullptr;
        error = reserve_device(runtime, size_bytes, &allocation);
        if (error != cudaSuccess) return error;
        runtime.device.make_live(*allocation);
        *out = allocation->begin;
        return cudaSuccess;
    });
}

cudaError_t cudaFree(void *address) {
    return api_call([&](Runtime &runtime) {
        if (!address) return cudaSuccess;
        cudaError_t error = runtime.forbid_in_capture();
        if (error != cudaSuccess) return error;
        runtime.drain(); /* as drivers do */
        Allocation *allocation = runtime.device.beginning_at(address);
        if (!allocation) return cudaErrorInvalidValue;
        release_device(runtime, *allocation);
        return cudaSuccess;
    });
}

cudaError_t cudaMallocAsync(void **out, size_t size_bytes, cudaStream_t handle) {
    return api_call([&](Runtime &runtime) {
        if (!out) return cudaErrorInvalidValue;
        *out = nullptr;
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!settings().has_pools) return cudaErrorNotSupported;
        if (!stream) return cudaErrorInvalidResourceHandle;
        if (stream->capture) return cudaErrorNotSupported; /* no memory nodes in graphs here */
        if (size_bytes == 0) return cudaSuccess;
        /* Memory that pending work frees can be had again. */
        if (size_bytes > settings().memory_bytes - runtime.device_used_bytes) runtime.drain();
        Allocation *allocation = nullptr;
        cudaError_t error = reserve_device(runtime, size_bytes, &allocation);
        if (error != cudaSuccess) return error;
        *out = allocation->begin;
        return runtime.submit(handle, "allocation", [&runtime, allocation] { runtime.device.make_live(*allocation); });
    });
}

cudaError_t cudaFreeAsync(void *address, cudaStream_t handle) {
    return api_call([&](Runtime &runtime) {
        if (!settings().has_pools) return cudaErrorNotSupported;
        Allocation *allocation = runtime.device.beginning_at(address);
        if (!allocation) return cudaErrorInvalidValue;
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (stream && stream->capture) return cudaErrorNotSupported;
        return runtime.submit(handle, "free", [&runtime, allocation] { release_device(runtime, *allocation); });
    });
}

cudaError_t cudaHostAlloc(void **out, size_t size_bytes, unsigned flags) {
    return api_call([&](Runtime &runtime) {
        if (!out) return cudaErrorInvalidValue;
        *out = nullptr;
        const unsigned known = cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
        if (flags & ~known) return cudaErrorInvalidValue;
        cudaError_t error = runtime.forbid_in_capture();
        if (error != cudaSuccess || size_bytes == 0) return error;
        if (must_fail(FailingCall::MALLOC)) return cudaErrorMemoryAllocation;
        Allocation *allocation = runtime.pinned.reserve(size_bytes);
        if (!allocation) return cudaErrorMemoryAllocation;
        runtime.pinned.make_live(*allocation);
        *out = allocation->begin;
        return cudaSuccess;
    });
}

cudaError_t cudaMallocHost(void **out, size_t size_bytes) {
    return cudaHostAlloc(out, size_bytes, cudaHostAllocDefault);
}

/* One address for both, as where addressing is unified. */
cudaError_t cudaHostGetDevicePointer(void **out, void *address, unsigned flags) {
    return api_call([&](Runtime &runtime) {
        if (!out || flags != 0 || !runtime.pinned.holds(address, 1)) return cudaErrorInvalidValue;
        *out = address;
        return cudaSuccess;
    });
}

/* Waits for nothing: a copy that is still to come will find the memory gone. */
cudaError_t cudaFreeHost(void *address) {
    return api_call([&](Runtime &runtime) {
        if (!address) return cudaSuccess;
        Allocation *allocation = runtime.pinned.beginning_at(address);
        if (!allocation) return cudaErrorInvalidValue;
        runtime.pinned.check_margins();
        runtime.pinned.release(*allocation);
        return cudaSuccess;
    });
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    return api_call([&](Runtime &runtime) { return submit_copy(runtime, to, from, size_bytes, kind, stream); });
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind) {
    return api_call([&](Runtime &runtime) {
        cudaError_t error = runtime.forbid_in_capture();
        if (error == cudaSuccess) error = submit_copy(runtime, to, from, size_bytes, kind, nullptr);
        if (error != cudaSuccess) return error;
        std::shared_ptr<Stream> stream = runtime.stream_of(nullptr);
        runtime.reach({stream, stream->n_submitted});
        return cudaSuccess;
    });
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t stream) {
    return api_call([&](Runtime &runtime) {
        if (size_bytes == 0) return cudaSuccess;
        if (!runtime.device.holds(to, size_bytes)) return cudaErrorInvalidValue;
        return runtime.submit(stream, "memset of " + std::to_string(size_bytes) + " bytes",
                              [=] { memset(to, value, size_bytes); });
    });
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    return api_call([&](Runtime &runtime) {
        if (!free_bytes || !total_bytes) return cudaErrorInvalidValue;
        *total_bytes = settings().memory_bytes;
        *free_bytes = settings().memory_bytes - runtime.device_used_bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device) {
    return api_call([&](Runtime &) {
        if (!pool) return cudaErrorInvalidValue;
        if (device != 0 || settings().n_devices == 0) return cudaErrorInvalidDevice;
        if (!settings().has_pools) return cudaErrorNotSupported;
        *pool = reinterpret_cast<cudaMemPool_t>(&default_pool);
        return cudaSuccess;
    });
}

/* The pool keeps no memory, so there is nothing to set or trim; the arguments are checked. */
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value) {
    return api_call([&](Runtime &) {
        bool known = attribute >= cudaMemPoolReuseFollowEventDependencies && attribute <= cudaMemPoolAttrUsedMemHigh;
        return pool == reinterpret_cast<cudaMemPool_t>(&default_pool) && known && value ? cudaSuccess
                                                                                        : cudaErrorInvalidValue;
    });
}

/* Of what there is to be read: bytes given out, and as many held. */
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value) {
    return api_call([&](Runtime &runtime) {
        bool known = attribute == cudaMemPoolAttrReservedMemCurrent || attribute == cudaMemPoolAttrUsedMemCurrent;
        if (pool != reinterpret_cast<cudaMemPool_t>(&default_pool) || !known || !value) return cudaErrorInvalidValue;
        *static_cast<uint64_t *>(value) = runtime.device_used_bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t) {
    return api_call([&](Runtime &) {
        return pool == reinterpret_cast<cudaMemPool_t>(&default_pool) ? cudaSuccess : cudaErrorInvalidValue;
    });
}
}
