/* A Vulkan layer that makes a call go wrong: VULKAN_FAULT="vkQueueSubmit:20:-4" gives VkResult -4 (device lost) instead
   of the 20th call of vkQueueSubmit and of all later ones.  It knows the functions of the table `faults`.
   It also plays the pipeline cache of a GPU's driver, which software drivers do not have: with
   VULKAN_CACHE="FILE:BYTES" vkGetPipelineCacheData gives the header of this device and so many bytes after it, and FILE
   gets the bytes that vkCreatePipelineCache was given; the driver below sees none of them.  Passes everything else on.
   Enabled with VK_ADD_LAYER_PATH=<folder of its JSON> VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_fault. Interface:
   "Architecture of the Vulkan loader interfaces", layers, version 2.  One instance and one device at a time. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vulkan/layer.h"

static struct {
    PFN_vkGetInstanceProcAddr instance_function;
    PFN_vkGetDeviceProcAddr device_function;
    PFN_vkAllocateMemory allocate_memory;
    PFN_vkQueueSubmit queue_submit;
    PFN_vkWaitSemaphores wait_semaphores;
    PFN_vkCreateComputePipelines create_pipelines;
    PFN_vkCreatePipelineCache create_pipeline_cache;
    PFN_vkGetPipelineCacheData pipeline_cache_data;
    VkPhysicalDeviceProperties properties;
    VkInstance instance;
} next;

static struct {
    const char *function;
    atomic_long n_calls;
} faults[] = {{"vkAllocateMemory", 0}, {"vkQueueSubmit", 0}, {"vkWaitSemaphores", 0}, {"vkCreateComputePipelines", 0}};
enum { ALLOCATE_MEMORY, QUEUE_SUBMIT, WAIT_SEMAPHORES, CREATE_PIPELINES, N_FAULTS };

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "fault_layer: %s\n", what);
    abort();
}

/* Counts a call; the result it must have, VK_SUCCESS: pass it on. */
static VkResult fault(int i) {
    char function[64];
    long first, result;
    const char *wanted = getenv("VULKAN_FAULT");
    if (!wanted && getenv("VULKAN_CACHE")) return VK_SUCCESS;
    must(wanted && sscanf(wanted, "%63[^:]:%ld:%ld", function, &first, &result) == 3,
         "VULKAN_FAULT is not FUNCTION:CALL:RESULT");
    long n_calls = ++faults[i].n_calls;
    return strcmp(function, faults[i].function) == 0 && n_calls >= first ? (VkResult)result : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *allocator, VkDeviceMemory *memory) {
    VkResult result = fault(ALLOCATE_MEMORY);
    return result == VK_SUCCESS ? next.allocate_memory(device, info, allocator, memory) : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit(VkQueue queue, uint32_t n, const VkSubmitInfo *submits,
                                                   VkFence fence) {
    VkResult result = fault(QUEUE_SUBMIT);
    return result == VK_SUCCESS ? next.queue_submit(queue, n, submits, fence) : result;
}

/* The work that was waited for is over first: the fault is in what the caller is told. */
static VKAPI_ATTR VkResult VKAPI_CALL wait_semaphores(VkDevice device, const VkSemaphoreWaitInfo *info,
                                                      uint64_t timeout) {
    VkResult result = fault(WAIT_SEMAPHORES);
    VkResult real = next.wait_semaphores(device, info, timeout);
    return result == VK_SUCCESS ? real : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t n,
                                                       const VkComputePipelineCreateInfo *infos,
                                                       const VkAllocationCallbacks *allocator, VkPipeline *pipelines) {
    VkResult result = fault(CREATE_PIPELINES);
    if (result == VK_SUCCESS) return next.create_pipelines(device, cache, n, infos, allocator, pipelines);
    for (uint32_t i = 0; i < n; i++) pipelines[i] = VK_NULL_HANDLE;
    return result;
}

/* The file and the number of bytes of VULKAN_CACHE; false: there is no such variable. */
static bool cache_wanted(char file[256], size_t *out_bytes) {
    const char *wanted = getenv("VULKAN_CACHE");
    if (wanted) must(sscanf(wanted, "%255[^:]:%zu", file, out_bytes) == 2, "VULKAN_CACHE is not FILE:BYTES");
    return wanted;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pipeline_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                                            const VkAllocationCallbacks *allocator,
                                                            VkPipelineCache *cache) {
    char file[256];
    size_t bytes;
    VkPipelineCacheCreateInfo below = *info;
    if (cache_wanted(file, &bytes)) {
        FILE *stream = fopen(file, "wb");
        must(stream && fwrite(info->pInitialData, 1, info->initialDataSize, stream) == info->initialDataSize &&
                 fclose(stream) == 0,
             "cannot write the file of VULKAN_CACHE");
        below.initialDataSize = 0;
        below.pInitialData = NULL;
    }
    return next.create_pipeline_cache(device, &below, allocator, cache);
}

static VKAPI_ATTR VkResult VKAPI_CALL pipeline_cache_data(VkDevice device, VkPipelineCache cache, size_t *size,
                                                          void *data) {
    char file[256];
    size_t bytes;
    VkPipelineCacheHeaderVersionOne header = {
        sizeof header, VK_PIPELINE_CACHE_HEADER_VERSION_ONE, next.properties.vendorID, next.properties.deviceID, {0}};
    if (!cache_wanted(file, &bytes)) return next.pipeline_cache_data(device, cache, size, data);
    if (data) {
        must(*size >= sizeof header + bytes, "vkGetPipelineCacheData with less room than it asked for");
        memcpy(header.pipelineCacheUUID, next.properties.pipelineCacheUUID, VK_UUID_SIZE);
        memcpy(data, &header, sizeof header);
        for (size_t i = 0; i < bytes; i++) ((unsigned char *)data)[sizeof header + i] = (unsigned char)(31 * i >> 3);
    }
    *size = sizeof header + bytes;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator, VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next.instance_function = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next.instance_function(NULL, "vkCreateInstance");
    VkResult result = create(info, allocator, instance);
    if (result == VK_SUCCESS) next.instance = *instance;
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = device_link(info);
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next.device_function = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)next.instance_function(next.instance, "vkCreateDevice");
    VkResult result = create(physical, info, allocator, device);
    if (result != VK_SUCCESS) return result;
    next.allocate_memory = (PFN_vkAllocateMemory)next.device_function(*device, "vkAllocateMemory");
    next.queue_submit = (PFN_vkQueueSubmit)next.device_function(*device, "vkQueueSubmit");
    next.wait_semaphores = (PFN_vkWaitSemaphores)next.device_function(*device, "vkWaitSemaphores");
    next.create_pipelines = (PFN_vkCreateComputePipelines)next.device_function(*device, "vkCreateComputePipelines");
    next.create_pipeline_cache = (PFN_vkCreatePipelineCache)next.device_function(*device, "vkCreatePipelineCache");
    next.pipeline_cache_data = (PFN_vkGetPipelineCacheData)next.device_function(*device, "vkGetPipelineCacheData");
    PFN_vkGetPhysicalDeviceProperties properties =
        (PFN_vkGetPhysicalDeviceProperties)next.instance_function(next.instance, "vkGetPhysicalDeviceProperties");
    properties(physical, &next.properties);
    return VK_SUCCESS;
}

/* This layer's function of a name, NULL: it has none. */
static PFN_vkVoidFunction own_function(const char *name) {
    static const PFN_vkVoidFunction functions[N_FAULTS] = {
        (PFN_vkVoidFunction)allocate_memory, (PFN_vkVoidFunction)queue_submit, (PFN_vkVoidFunction)wait_semaphores,
        (PFN_vkVoidFunction)create_pipelines};
    for (int i = 0; i < N_FAULTS; i++)
        if (strcmp(name, faults[i].function) == 0) return functions[i];
    if (strcmp(name, "vkCreatePipelineCache") == 0) return (PFN_vkVoidFunction)create_pipeline_cache;
    if (strcmp(name, "vkGetPipelineCacheData") == 0) return (PFN_vkVoidFunction)pipeline_cache_data;
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name) {
    if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (PFN_vkVoidFunction)device_function;
    PFN_vkVoidFunction own = own_function(name);
    return own ? own : next.device_function(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char *name) {
    if (strcmp(name, "vkGetInstanceProcAddr") == 0) return (PFN_vkVoidFunction)instance_function;
    if (strcmp(name, "vkGetDeviceProcAddr") == 0) return (PFN_vkVoidFunction)device_function;
    if (strcmp(name, "vkCreateInstance") == 0) return (PFN_vkVoidFunction)create_instance;
    if (strcmp(name, "vkCreateDevice") == 0) return (PFN_vkVoidFunction)create_device;
    PFN_vkVoidFunction own = own_function(name);
    return own ? own : next.instance_function(instance, name);
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->loaderLayerInterfaceVersion < 2) return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = instance_function;
    interface->pfnGetDeviceProcAddr = device_function;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
