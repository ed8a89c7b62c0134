/* Opening and closing a Vulkan device; what kernels choose by. */
#include "backend/vulkan/vulkan_device.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"
#include "platform/environment.h"

static ms_status create_device(ms_backend_device *device) {
    ms_vulkan_context *context = &device->context;
    const ms_vulkan_gpu *gpu = context->gpu;
    const float priorities[2] = {1, 1};
    bool same_family = gpu->has_copy_queue && gpu->copy_family == gpu->queue_family;
    VkDeviceQueueCreateInfo queues[2] = {{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                          .queueFamilyIndex = gpu->queue_family,
                                          .queueCount = same_family ? 2 : 1,
                                          .pQueuePriorities = priorities},
                                         {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                          .queueFamilyIndex = gpu->copy_family,
                                          .queueCount = 1,
                                          .pQueuePriorities = priorities}};
    VkPhysicalDeviceVulkan12Features features12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                                   .bufferDeviceAddress = VK_TRUE,
                                                   .timelineSemaphore = VK_TRUE};
    VkPhysicalDeviceVulkan11Features features11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                                   .pNext = &features12,
                                                   .storageBuffer16BitAccess = device->limits.storage16};
    VkPhysicalDeviceFeatures features = {.shaderInt16 = device->limits.storage16};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &features11,
                               .queueCreateInfoCount = gpu->has_copy_queue && !same_family ? 2 : 1,
                               .pQueueCreateInfos = queues,
                               .pEnabledFeatures = &features};
    MS_VULKAN_TRY(vkCreateDevice(gpu->handle, &info, NULL, &context->handle), gpu->properties.deviceName);
    volkLoadDeviceTable(&context->call, context->handle);
    return MS_OK;
}

/* Per workgroup.  MUONSCOPE_VULKAN_INVOCATIONS: a smaller limit than the device's, to test kernels with smaller
   ones. */
static ms_status max_invocations(const VkPhysicalDeviceLimits *limits, uint32_t *out) {
    uint64_t wanted;
    MS_TRY(ms_environment_number(MS_ENVIRONMENT_VULKAN_INVOCATIONS, &wanted));
    uint32_t most = limits->maxComputeWorkGroupInvocations < limits->maxComputeWorkGroupSize[0]
                        ? limits->maxComputeWorkGroupInvocations
                        : limits->maxComputeWorkGroupSize[0];
    *out = wanted && wanted < most ? (uint32_t)wanted : most;
    return MS_OK;
}

/* Workgroups that keep the device busy.  MUONSCOPE_VULKAN_WORKGROUPS: another number, to test tiles that small matmuls
   would not take. */
static ms_status busy_workgroups(bool is_cpu, uint32_t *out) {
    enum { GPU = 256, CPU = 16 };
    uint64_t wanted;
    MS_TRY(ms_environment_number(MS_ENVIRONMENT_VULKAN_WORKGROUPS, &wanted));
    *out = wanted ? (uint32_t)wanted : is_cpu ? CPU : GPU;
    return MS_OK;
}

/* What a submission does at most: about 0.1 s at 1 TFLOP/s and 200 GB/s; where memory is the processor's, at a fifth of
   that.  Exact matmuls run at a fraction of such rates, and are still far from a watchdog.  MUONSCOPE_VULKAN_WORK:
   fewer FLOPs, to test the cuts. */
static ms_status part_limits(VkPhysicalDeviceType type, ms_vulkan_limits *limits) {
    uint64_t wanted;
    MS_TRY(ms_environment_number(MS_ENVIRONMENT_VULKAN_WORK, &wanted));
    bool shares = type != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU && type != VK_PHYSICAL_DEVICE_TYPE_CPU;
    double most = shares ? 2e10 : 1e11;
    limits->part_flops = wanted && (double)wanted < most ? (double)wanted : most;
    limits->part_bytes = shares ? 4e9 : 2e10;
    return MS_OK;
}

static ms_status set_limits(ms_backend_device *device, ms_numerics numerics) {
    const ms_vulkan_gpu *gpu = device->context.gpu;
    const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
    bool is_cpu =
        gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU && !ms_environment_is_on(MS_ENVIRONMENT_VULKAN_GPU);
    device->limits = (ms_vulkan_limits){
        .numerics = numerics,
        .is_cpu = is_cpu,
        .storage16 = gpu->storage16 && !ms_environment_is_on(MS_ENVIRONMENT_VULKAN_PACKED),
        .shared_bytes = limits->maxComputeSharedMemorySize,
        .subgroup_size = gpu->subgroup_size,
        .subgroup_exchange = gpu->subgroup_exchange,
    };
    MS_TRY(max_invocations(limits, &device->limits.max_invocations));
    MS_TRY(part_limits(gpu->properties.deviceType, &device->limits));
    return busy_workgroups(is_cpu, &device->limits.busy_workgroups);
}

/* Each part gets the parts below it. */
static ms_status set_up(ms_backend_device *device, ms_numerics numerics) {
    MS_TRY(set_limits(device, numerics));
    MS_TRY(create_device(device));
    ms_vulkan_memory_init(&device->context, &device->memory);
    ms_vulkan_arena_init(&device->memory, &device->lanes, &device->arena);
    ms_vulkan_announce_init(&device->memory, &device->lanes, &device->announcement);
    MS_TRY(ms_vulkan_lanes_init(&device->context, &device->report, &device->lanes));
    MS_TRY(ms_vulkan_report_init(&device->memory, &device->report));
    MS_TRY(ms_vulkan_transfer_init(&device->memory, &device->lanes, &device->transfer));
    MS_TRY(ms_vulkan_pipelines_init(&device->context, &device->pipelines));
    return ms_vulkan_check_validation();
}

ms_status ms_vulkan_device_open(int index, const ms_device_options *options, ms_backend_device **out) {
    *out = NULL;
    if (options->numerics == MS_NUMERICS_ORACLE)
        return MS_FAIL(MS_UNSUPPORTED, "vulkan:%d: the f64 oracle runs on device cpu only", index);
    const ms_vulkan_instance *instance;
    MS_TRY(ms_vulkan_instance_acquire(&instance));
    ms_backend_device *device = calloc(1, sizeof *device);
    if (!device || index >= instance->n_gpus) {
        free(device);
        ms_vulkan_instance_release();
        return device ? MS_FAIL(MS_NOT_FOUND, "vulkan:%d is gone", index)
                      : MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no memory");
    }
    device->context.gpu = &instance->gpus[index];
    device->context.index = index;
    ms_status status = set_up(device, options->numerics);
    if (status != MS_OK) {
        ms_vulkan_device_close(device);
        return status;
    }
    *out = device;
    return MS_OK;
}

void ms_vulkan_device_close(ms_backend_device *device) {
    if (!device) return;
    const ms_vulkan_context *context = &device->context;
    if (context->handle) {
        (void)context->call.vkDeviceWaitIdle(context->handle);
        ms_vulkan_pipelines_finish(&device->pipelines, device->lanes.lost);
        ms_vulkan_transfer_finish(&device->transfer);
        ms_vulkan_announce_finish(&device->announcement);
        ms_vulkan_arena_finish(&device->arena);
        ms_vulkan_memory_finish(&device->memory);
        ms_vulkan_lanes_finish(&device->lanes);
        context->call.vkDestroyDevice(context->handle, NULL);
    }
    ms_vulkan_instance_release();
    free(device);
}
