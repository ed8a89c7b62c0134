/* Opening and closing a Vulkan device, and the memory that its programs share. */
#include "backend/vulkan/vulkan_device.h"

#include <stdlib.h>
#include <string.h>

static ms_status create_device(ms_backend_device *device) {
    const ms_vulkan_gpu *gpu = &device->gpu;
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
    MS_VULKAN_TRY(vkCreateDevice(gpu->handle, &info, NULL, &device->handle), gpu->properties.deviceName);
    volkLoadDeviceTable(&device->call, device->handle);
    return MS_OK;
}

/* MUONSCOPE_VULKAN_PACKED=1 makes a device with 16-bit storage use the paths of one without, and MUONSCOPE_VULKAN_GPU=1
   makes a software driver use the paths of a GPU, to test them. */
static bool is_switched_on(const char *name) {
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* The number in an environment variable, 0: none. */
static uint32_t number_in(const char *name) {
    const char *value = getenv(name);
    unsigned long number = value ? strtoul(value, NULL, 10) : 0;
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* Per workgroup.  MUONSCOPE_VULKAN_INVOCATIONS: a smaller limit than the device's, to test kernels with smaller ones.
 */
static uint32_t max_invocations(const VkPhysicalDeviceLimits *limits) {
    uint32_t most = limits->maxComputeWorkGroupInvocations < limits->maxComputeWorkGroupSize[0]
                        ? limits->maxComputeWorkGroupInvocations
                        : limits->maxComputeWorkGroupSize[0];
    uint32_t wanted = number_in("MUONSCOPE_VULKAN_INVOCATIONS");
    return wanted >= MS_VULKAN_FEWEST_INVOCATIONS && wanted < most ? wanted : most;
}

/* Workgroups that keep the device busy.  MUONSCOPE_VULKAN_WORKGROUPS: another number, to test tiles that small products
   would not take. */
static uint32_t busy_workgroups(bool is_cpu) {
    enum { GPU = 256, CPU = 16 };
    uint32_t wanted = number_in("MUONSCOPE_VULKAN_WORKGROUPS");
    return wanted ? wanted : is_cpu ? CPU : GPU;
}

static void set_limits(ms_backend_device *device, ms_numerics numerics) {
    const VkPhysicalDeviceLimits *limits = &device->gpu.properties.limits;
    bool is_cpu =
        device->gpu.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU && !is_switched_on("MUONSCOPE_VULKAN_GPU");
    device->limits = (ms_vulkan_limits){
        .numerics = numerics,
        .is_cpu = is_cpu,
        .storage16 = device->gpu.storage16 && !is_switched_on("MUONSCOPE_VULKAN_PACKED"),
        .max_invocations = max_invocations(limits),
        .busy_workgroups = busy_workgroups(is_cpu),
        .shared_bytes = limits->maxComputeSharedMemorySize,
        .subgroup_size = device->gpu.subgroup_size,
        .subgroup_exchange = device->gpu.subgroup_exchange,
    };
}

static ms_status set_up(ms_backend_device *device, ms_numerics numerics) {
    set_limits(device, numerics);
    vkGetPhysicalDeviceMemoryProperties(device->gpu.handle, &device->memory_types);
    MS_TRY(create_device(device));
    MS_TRY(ms_vulkan_lane_init(device, device->gpu.queue_family, 0, &device->work));
    if (device->gpu.has_copy_queue)
        MS_TRY(ms_vulkan_lane_init(device, device->gpu.copy_family, device->gpu.copy_queue, &device->copies));
    MS_TRY(
        ms_vulkan_allocate(device, MS_VULKAN_HOST_READS, MS_VULKAN_REPORT_WORDS * sizeof(uint32_t), &device->report));
    memset(device->report.mapped, 0, MS_VULKAN_REPORT_WORDS * sizeof(uint32_t));
    MS_TRY(ms_vulkan_transfer_init(device));
    MS_TRY(ms_vulkan_pipelines_init(device));
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
    device->instance = instance;
    device->gpu = instance->gpus[index];
    device->index = index;
    device->generation = 1;
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
    if (device->handle) {
        (void)device->call.vkDeviceWaitIdle(device->handle);
        ms_vulkan_pipelines_finish(device);
        ms_vulkan_transfer_finish(device);
        ms_vulkan_announce_finish(device);
        free(device->arena.pieces);
        ms_vulkan_memory_finish(device);
        ms_vulkan_lane_finish(device, &device->copies);
        ms_vulkan_lane_finish(device, &device->work);
        device->call.vkDestroyDevice(device->handle, NULL);
    }
    ms_vulkan_instance_release();
    free(device);
}

/* Whole pages of any size: a driver rounds an allocation up, and must not round it above its own limit. */
VkDeviceSize ms_vulkan_piece_bytes(const ms_backend_device *device) {
    const VkDeviceSize page = 2 << 20;
    return device->gpu.largest_allocation / page * page;
}

VkDeviceAddress ms_vulkan_arena_address(const ms_backend_device *device, int64_t offset_bytes) {
    VkDeviceSize offset = (VkDeviceSize)offset_bytes, piece = offset / ms_vulkan_piece_bytes(device);
    if (piece >= (VkDeviceSize)device->arena.n_pieces) return 0; /* a tensor without elements */
    return device->arena.pieces[piece].address + offset % ms_vulkan_piece_bytes(device);
}

static void release_arena(ms_backend_device *device) {
    ms_vulkan_arena *arena = &device->arena;
    for (int i = 0; i < arena->n_pieces; i++) ms_vulkan_release(device, &arena->pieces[i]);
    free(arena->pieces);
    *arena = (ms_vulkan_arena){0};
}

static ms_status allocate_arena(ms_backend_device *device, size_t size) {
    ms_vulkan_arena *arena = &device->arena;
    size_t piece = ms_vulkan_piece_bytes(device), n = (size + piece - 1) / piece;
    arena->pieces = calloc(n, sizeof *arena->pieces);
    if (!arena->pieces) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    for (size_t done = 0; done < size; done += piece) {
        size_t bytes = size - done < piece ? size - done : piece;
        MS_TRY_NOTE(ms_vulkan_allocate(device, MS_VULKAN_DEVICE_LOCAL, bytes, &arena->pieces[arena->n_pieces]),
                    "arena of %zu bytes", size);
        arena->n_pieces++;
    }
    arena->size_bytes = size;
    return MS_OK;
}

static ms_status grow_arena(ms_backend_device *device, size_t size) {
    if (size <= device->arena.size_bytes) return MS_OK;
    MS_TRY(ms_vulkan_wait_all(device));
    release_arena(device);
    device->generation++;
    ms_status status = allocate_arena(device, size);
    if (status != MS_OK) release_arena(device);
    return status;
}

static ms_status grow_workspace(ms_backend_device *device, size_t size) {
    if (size <= device->workspace.size) return MS_OK;
    MS_TRY(ms_vulkan_wait_all(device));
    ms_vulkan_release(device, &device->workspace);
    device->generation++;
    MS_TRY_NOTE(ms_vulkan_allocate(device, MS_VULKAN_DEVICE_LOCAL, size, &device->workspace), "workspace of %zu bytes",
                size);
    return MS_OK;
}

ms_status ms_vulkan_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes) {
    MS_TRY(grow_arena(device, arena_bytes));
    return grow_workspace(device, workspace_bytes);
}
