/* Physical devices: what they offer, and whether that suffices. */
#include "backend/vulkan/vulkan_gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_limits.h"
#include "platform/environment.h"

static bool has_extension(VkPhysicalDevice handle, const char *name) {
    uint32_t n = 0;
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &n, NULL) != VK_SUCCESS || n == 0) return false;
    VkExtensionProperties *extensions = calloc(n, sizeof *extensions);
    bool found = false;
    if (extensions && vkEnumerateDeviceExtensionProperties(handle, NULL, &n, extensions) == VK_SUCCESS)
        for (uint32_t i = 0; i < n && !found; i++) found = strcmp(extensions[i].extensionName, name) == 0;
    free(extensions);
    return found;
}

/* A queue for downloads beside the work: of a family that only copies (a GPU's copy engines); else a second one of the
   work's family; else of any other family with compute or graphics, which can copy by definition.
   MUONSCOPE_VULKAN_QUEUES=1 makes a device with more queues one with a single queue, to test it. */
static ms_status find_copy_queue(ms_vulkan_gpu *gpu, const VkQueueFamilyProperties *families, int n) {
    const VkQueueFlags beside_copies = VK_QUEUE_TRANSFER_BIT | VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT;
    uint64_t most;
    MS_TRY(ms_environment_number(MS_ENVIRONMENT_VULKAN_QUEUES, &most));
    if (most == 1) return MS_OK;
    int best = -1, queue = 0;
    for (int i = n - 1; i >= 0; i--)
        if (i != (int)gpu->queue_family && families[i].queueFlags & (VK_QUEUE_COMPUTE_BIT | VK_QUEUE_GRAPHICS_BIT))
            best = i;
    if (families[gpu->queue_family].queueCount > 1) {
        best = (int)gpu->queue_family;
        queue = 1;
    }
    for (int i = n - 1; i >= 0; i--)
        if (families[i].queueFlags & VK_QUEUE_TRANSFER_BIT && !(families[i].queueFlags & ~beside_copies)) {
            best = i;
            queue = 0;
        }
    if (best < 0) return MS_OK;
    gpu->has_copy_queue = true;
    gpu->copy_family = (uint32_t)best;
    gpu->copy_queue = (uint32_t)queue;
    return MS_OK;
}

/* The first family with compute and without graphics, whose work does not wait behind a desktop's; else the first with
   compute. */
static ms_status find_queues(ms_vulkan_gpu *gpu) {
    enum { MOST = 16 };
    VkQueueFamilyProperties families[MOST];
    uint32_t n = 0;
    /* Asked for more than it has, SwiftShader says that it has as many. */
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, NULL);
    if (n > MOST) n = MOST;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, families);
    int best = -1;
    for (int i = (int)n - 1; i >= 0; i--) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        bool is_apart = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
        if (best < 0 || is_apart || (families[best].queueFlags & VK_QUEUE_GRAPHICS_BIT)) best = i;
    }
    if (best < 0) return MS_FAIL(MS_UNSUPPORTED, "no queue family with compute");
    gpu->queue_family = (uint32_t)best;
    gpu->timestamp_bits = families[best].timestampValidBits;
    return find_copy_queue(gpu, families, (int)n);
}

/* What a device reports it can be held to, for 32-bit floats.  A rounding or flushing mode for one width alone needs
   independent widths. */
static ms_vulkan_float_modes modes_of(const VkPhysicalDeviceFloatControlsProperties *controls) {
    return (ms_vulkan_float_modes){
        .keep_special = controls->shaderSignedZeroInfNanPreserveFloat32,
        .round_to_even = controls->shaderRoundingModeRTEFloat32 &&
                         controls->roundingModeIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE,
        .keep_subnormals = controls->shaderDenormPreserveFloat32 &&
                           controls->denormBehaviorIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE,
    };
}

/* MUONSCOPE_VULKAN_ALLOCATION: a smaller limit than the device's, in bytes, to test programs in several pieces. */
static ms_status limit_allocation(ms_vulkan_gpu *gpu, const VkPhysicalDeviceMaintenance3Properties *maintenance) {
    uint64_t limit;
    MS_TRY(ms_environment_number(MS_ENVIRONMENT_VULKAN_ALLOCATION, &limit));
    VkDeviceSize most = maintenance->maxMemoryAllocationSize;
    if (has_extension(gpu->handle, VK_KHR_MAINTENANCE_4_EXTENSION_NAME)) {
        VkPhysicalDeviceMaintenance4Properties buffers = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
        VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                                  .pNext = &buffers};
        vkGetPhysicalDeviceProperties2(gpu->handle, &properties);
        if (buffers.maxBufferSize < most) most = buffers.maxBufferSize;
    }
    gpu->largest_allocation = limit && limit < most ? limit : most;
    return MS_OK;
}

static ms_status describe(ms_vulkan_gpu *gpu) {
    VkPhysicalDeviceFloatControlsProperties controls = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &controls};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = &maintenance};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    gpu->driver =
        (VkPhysicalDeviceDriverProperties){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &id};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &gpu->driver};
    vkGetPhysicalDeviceProperties2(gpu->handle, &properties);
    gpu->driver.pNext = NULL;
    gpu->properties = properties.properties;
    memcpy(gpu->uuid, id.deviceUUID, sizeof gpu->uuid);
    gpu->subgroup_size = subgroup.subgroupSize;
    const VkSubgroupFeatureFlags exchange = VK_SUBGROUP_FEATURE_SHUFFLE_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT;
    gpu->subgroup_exchange = (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                             (subgroup.supportedOperations & exchange) == exchange;
    gpu->float_modes = modes_of(&controls);
    gpu->memory_budget = has_extension(gpu->handle, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(gpu->handle, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            (int64_t)memory.memoryHeaps[i].size > gpu->memory_bytes)
            gpu->memory_bytes = (int64_t)memory.memoryHeaps[i].size;
    return limit_allocation(gpu, &maintenance);
}

/* What a device would be opened with: a number that is none makes it unusable here, before anybody opens it. */
static ms_status check_environment(void) {
    static const ms_environment numbers[] = {MS_ENVIRONMENT_VULKAN_INVOCATIONS, MS_ENVIRONMENT_VULKAN_WORKGROUPS,
                                             MS_ENVIRONMENT_VULKAN_WORK};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t unused;
        MS_TRY(ms_environment_number(numbers[i], &unused));
    }
    return MS_OK;
}

#define REFUSE(...)                                                                                                    \
    do {                                                                                                               \
        snprintf(gpu->reason, sizeof gpu->reason, __VA_ARGS__);                                                        \
        return;                                                                                                        \
    } while (0)

/* Fills reason when the device lacks something that training needs. */
static void judge(ms_vulkan_gpu *gpu) {
    uint32_t version = gpu->properties.apiVersion;
    if (version < VK_API_VERSION_1_2)
        REFUSE("Vulkan %u.%u, 1.2 is needed", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version));
    if (describe(gpu) != MS_OK || find_queues(gpu) != MS_OK || check_environment() != MS_OK)
        REFUSE("%s", ms_status_message());
    VkPhysicalDeviceVulkan12Features features12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features features11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                                   .pNext = &features12};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &features11};
    vkGetPhysicalDeviceFeatures2(gpu->handle, &features);
    gpu->storage16 = features11.storageBuffer16BitAccess && features.features.shaderInt16;
    const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
    if (!features12.bufferDeviceAddress) REFUSE("no bufferDeviceAddress");
    if (!features12.timelineSemaphore) REFUSE("no timelineSemaphore");
    if (limits->maxComputeWorkGroupInvocations < MS_VULKAN_FEWEST_INVOCATIONS)
        REFUSE("%u invocations in a workgroup, %d are needed", limits->maxComputeWorkGroupInvocations,
               MS_VULKAN_FEWEST_INVOCATIONS);
    if (limits->maxComputeSharedMemorySize < 16384)
        REFUSE("%u bytes of shared memory, 16384 are needed", limits->maxComputeSharedMemorySize);
}

void ms_vulkan_gpu_judge(VkPhysicalDevice handle, ms_vulkan_gpu *out) {
    *out = (ms_vulkan_gpu){.handle = handle};
    vkGetPhysicalDeviceProperties(handle, &out->properties);
    judge(out);
}
