/* The Vulkan backend's vtable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_device.h"
#include "backend/vulkan/vulkan_probe.h"
#include "backend/vulkan/vulkan_program.h"

static void describe(const ms_vulkan_gpu *gpu, int index, ms_device_info *out) {
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "vulkan:%d", index);
    uint32_t version = gpu->properties.apiVersion;
    snprintf(out->description, sizeof out->description, "%.60s, %.30s %.30s, Vulkan %u.%u.%u",
             gpu->properties.deviceName, gpu->driver.driverName, gpu->driver.driverInfo, VK_API_VERSION_MAJOR(version),
             VK_API_VERSION_MINOR(version), VK_API_VERSION_PATCH(version));
    out->usable = gpu->reason[0] == '\0';
    out->memory_bytes = gpu->memory_bytes;
    out->is_software = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    int n = 0;
    for (int i = 0; i < (int)VK_UUID_SIZE; i++)
        n += snprintf(out->uuid + n, sizeof out->uuid - (size_t)n, "%02x%s", gpu->uuid[i],
                      i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    if (!out->usable)
        snprintf(out->reason, sizeof out->reason, "%s", gpu->reason);
    else
        snprintf(out->reason, sizeof out->reason, "uuid %s; subgroups of %u, workgroups of %u, %u KiB shared, %s; %s",
                 out->uuid, gpu->subgroup_size, gpu->properties.limits.maxComputeWorkGroupInvocations,
                 gpu->properties.limits.maxComputeSharedMemorySize / 1024,
                 gpu->storage16 ? "16-bit storage" : "no 16-bit storage (bf16 is packed)",
                 gpu->has_copy_queue ? "a second queue for downloads" : "one queue");
}

/* Without Vulkan there is still one entry, unusable, that says why. */
static ms_status vulkan_enumerate(ms_device_info *out, int capacity, int *out_n) {
    const ms_vulkan_instance *instance;
    if (ms_vulkan_instance_acquire(&instance) != MS_OK) {
        *out_n = 1;
        if (capacity < 1) return MS_OK;
        memset(out, 0, sizeof *out);
        snprintf(out->name, sizeof out->name, "vulkan");
        snprintf(out->description, sizeof out->description, "Vulkan");
        snprintf(out->reason, sizeof out->reason, "%s", ms_status_message());
        return MS_OK;
    }
    *out_n = instance->n_gpus;
    for (int i = 0; i < instance->n_gpus && i < capacity; i++) describe(&instance->gpus[i], i, &out[i]);
    ms_vulkan_instance_release();
    return MS_OK;
}

static size_t vulkan_f32_bytes(const ms_backend_device *device) { return (void)device, (size_t)4; }
static int vulkan_n_threads(const ms_backend_device *device) { return (void)device, 0; }
static size_t vulkan_piece_bytes(const ms_backend_device *device) {
    return (size_t)ms_vulkan_piece_bytes(&device->memory);
}
static size_t vulkan_allocated_bytes(const ms_backend_device *device) { return device->memory.block_bytes; }

static void vulkan_expect(ms_backend_device *device, const size_t *sizes, int n_sizes) {
    ms_vulkan_expect(&device->memory, sizes, n_sizes);
}

static ms_status vulkan_allocate(ms_backend_device *device, size_t size_bytes, ms_backend_buffer *out) {
    *out = NULL;
    ms_vulkan_range *range = calloc(1, sizeof *range);
    if (!range) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    ms_status status = ms_vulkan_allocate(&device->memory, MS_VULKAN_DEVICE_LOCAL, size_bytes, range);
    if (status == MS_OK) status = ms_vulkan_zero(&device->transfer, range);
    if (status != MS_OK) {
        ms_vulkan_release(&device->memory, range);
        free(range);
        return status;
    }
    *out = range;
    return MS_OK;
}

static void vulkan_release(ms_backend_device *device, ms_backend_buffer buffer) {
    ms_vulkan_settle(&device->lanes, device->lanes.work.submitted);
    ms_vulkan_forget_announced(&device->announcement);
    ms_vulkan_release(&device->memory, buffer);
    free(buffer);
}

static ms_status vulkan_upload(ms_backend_device *device, ms_backend_buffer buffer, size_t offset_bytes,
                               const void *data, size_t size_bytes) {
    return ms_vulkan_upload(&device->transfer, buffer, offset_bytes, data, size_bytes);
}

static ms_status vulkan_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                                 void *const *out_data) {
    bool served;
    MS_TRY(ms_vulkan_take_announced(&device->announcement, parts, n_parts, out_data, &served));
    return served ? MS_OK : ms_vulkan_download(&device->transfer, parts, n_parts, out_data);
}

static ms_status vulkan_announce(ms_backend_device *device, const ms_backend_part *parts, int n_parts) {
    return ms_vulkan_announce(&device->announcement, parts, n_parts);
}

static bool vulkan_copies_announced(const ms_backend_device *device) {
    return ms_vulkan_copies_announced(&device->announcement);
}

static ms_status vulkan_wait(ms_backend_device *device) { return ms_vulkan_wait_all(&device->lanes); }

static const ms_backend_impl vulkan_impl = {
    .name = "vulkan",
    .enumerate = vulkan_enumerate,
    .open = ms_vulkan_device_open,
    .close = ms_vulkan_device_close,
    .probe = ms_vulkan_probe,
    .allocated_bytes = vulkan_allocated_bytes,
    .f32_bytes = vulkan_f32_bytes,
    .piece_bytes = vulkan_piece_bytes,
    .n_threads = vulkan_n_threads,
    .expect = vulkan_expect,
    .allocate = vulkan_allocate,
    .release = vulkan_release,
    .upload = vulkan_upload,
    .download = vulkan_download,
    .announce = vulkan_announce,
    .copies_announced = vulkan_copies_announced,
    .compile = ms_vulkan_program_create,
    .program_destroy = ms_vulkan_program_destroy,
    .run = ms_vulkan_program_run,
    .wait = vulkan_wait,
    .workspace_bytes = ms_vulkan_program_workspace_bytes,
    .counts = ms_vulkan_program_counts,
};

const ms_backend_impl *ms_backend_vulkan(void) { return &vulkan_impl; }
