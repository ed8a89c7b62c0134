/* CUDA calls about the device, errors and kernels.  What each promises is in NVIDIA's cuda_runtime_api.h. */
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/cuda_host/block.h"
#include "tests/cuda_host/launch.h"
#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/settings.h"

using namespace ms_cuda_host;

namespace {

struct ErrorText {
    cudaError_t error;
    const char *name, *text;
};

/* Every error that this runtime returns. */
#define TEXT(error, text)                                                                                              \
    { error, #error, text }
const ErrorText ERROR_TEXTS[] = {
    TEXT(cudaSuccess, "no error"),
    TEXT(cudaErrorInvalidValue, "invalid argument"),
    TEXT(cudaErrorMemoryAllocation, "out of memory"),
    TEXT(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    TEXT(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    TEXT(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    TEXT(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    TEXT(cudaErrorInvalidDevice, "invalid device ordinal"),
    TEXT(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    TEXT(cudaErrorNotReady, "device not ready"),
    TEXT(cudaErrorLaunchFailure, "unspecified launch failure"),
    TEXT(cudaErrorNotPermitted, "operation not permitted"),
    TEXT(cudaErrorNotSupported, "operation not supported"),
    TEXT(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    TEXT(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    TEXT(cudaErrorStreamCaptureUnmatched, "capture was not initiated in this stream"),
    TEXT(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    TEXT(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    TEXT(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    TEXT(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
};
#undef TEXT

const ErrorText *find_text(cudaError_t error) {
    for (const ErrorText &row : ERROR_TEXTS)
        if (row.error == error) return &row;
    return nullptr;
}

/* A driver serves runtimes up to its own major version (CUDA's "minor version compatibility"). */
bool driver_serves() { return settings().driver_version / 1000 >= CUDART_VERSION / 1000; }

cudaError_t check_device(int device) {
    if (!driver_serves()) return cudaErrorInsufficientDriver;
    if (settings().n_devices == 0) return cudaErrorNoDevice;
    return device >= 0 && device < settings().n_devices ? cudaSuccess : cudaErrorInvalidDevice;
}

/* Everything that is not named here is 0: the device does not have it. */
void describe_device(cudaDeviceProp *properties) {
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "cuda-host (kernels on the CPU)");
    memcpy(properties->uuid.bytes, "muonscope-c-host", sizeof properties->uuid.bytes);
    properties->totalGlobalMem = settings().memory_bytes;
    properties->sharedMemPerBlock = DEFAULT_SHARED_BYTES;
    properties->sharedMemPerBlockOptin = MAX_SHARED_BYTES;
    properties->sharedMemPerMultiprocessor = MAX_SHARED_BYTES + 1024;
    properties->reservedSharedMemPerBlock = 1024;
    properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
    properties->warpSize = WARP_SIZE;
    properties->maxThreadsPerBlock = MAX_THREADS_PER_BLOCK;
    properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = MAX_THREADS_PER_BLOCK;
    properties->maxThreadsDim[2] = MAX_BLOCK_Z;
    properties->maxGridSize[0] = MAX_GRID_X;
    properties->maxGridSize[1] = properties->maxGridSize[2] = MAX_GRID_YZ;
    properties->major = 9;
    properties->minor = 0;
    properties->multiProcessorCount = 4;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->maxBlocksPerMultiProcessor = 32;
    properties->l2CacheSize = 4 << 20;
    properties->memoryBusWidth = 64;
    properties->memPitch = MAX_GRID_X;
    properties->concurrentKernels = 1;
    properties->asyncEngineCount = 2;
    properties->unifiedAddressing = 1;
    properties->canMapHostMemory = 1;
    properties->computePreemptionSupported = 1;
    properties->memoryPoolsSupported = settings().has_pools;
}

} // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
    return api_call([&](Runtime &) {
        if (!count) return cudaErrorInvalidValue;
        *count = 0;
        if (!driver_serves()) return cudaErrorInsufficientDriver;
        *count = settings().n_devices;
        return *count ? cudaSuccess : cudaErrorNoDevice;
    });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
    return api_call([&](Runtime &) {
        if (!properties) return cudaErrorInvalidValue;
        cudaError_t error = check_device(device);
        if (error == cudaSuccess) describe_device(properties);
        return error;
    });
}

cudaError_t cudaSetDevice(int device) {
    return api_call([&](Runtime &) { return check_device(device); });
}

cudaError_t cudaDriverGetVersion(int *version) {
    return api_call([&](Runtime &) {
        if (!version) return cudaErrorInvalidValue;
        *version = settings().driver_version;
        return cudaSuccess;
    });
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    return api_call([&](Runtime &) {
        if (!version) return cudaErrorInvalidValue;
        *version = CUDART_VERSION;
        return cudaSuccess;
    });
}

cudaError_t cudaGetLastError(void) {
    cudaError_t error = last_error();
    forget_last_error();
    return error;
}

cudaError_t cudaPeekAtLastError(void) { return last_error(); }

const char *cudaGetErrorName(cudaError_t error) {
    const ErrorText *row = find_text(error);
    return row ? row->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
    const ErrorText *row = find_text(error);
    return row ? row->text : "unrecognized error code";
}

cudaError_t cudaDeviceSynchronize(void) {
    return api_call([&](Runtime &runtime) {
        cudaError_t error = runtime.forbid_in_capture();
        if (error != cudaSuccess) return error;
        runtime.drain();
        return runtime.waited();
    });
}

/* The rest is 0. */
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *function) {
    return api_call([&](Runtime &runtime) {
        if (!attributes || !function) return cudaErrorInvalidValue;
        *attributes = {};
        attributes->maxDynamicSharedSizeBytes = static_cast<int>(runtime.dynamic_shared_limit(function));
        return cudaSuccess;
    });
}

cudaError_t cudaFuncSetAttribute(const void *function, cudaFuncAttribute attribute, int value) {
    return api_call([&](Runtime &runtime) {
        if (!function || value < 0) return cudaErrorInvalidValue;
        if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout)
            return value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
        if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorNotSupported;
        if (static_cast<size_t>(value) > MAX_SHARED_BYTES) return cudaErrorInvalidValue;
        runtime.dynamic_shared_limits[function] = static_cast<size_t>(value);
        return cudaSuccess;
    });
}
}
