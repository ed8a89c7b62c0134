/* Uploads and downloads through a ring of staging slots.  A copy is one more submission on the queue: it comes after
   the programs submitted before it and before those after it, and the host waits only for a slot that is still in use,
   or for the data that it wants. */
#include "backend/vulkan/vulkan_device.h"

#include <string.h>

ms_status ms_vulkan_transfer_init(ms_backend_device *device) {
    VkCommandBuffer commands[MS_VULKAN_SLOTS];
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = device->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = MS_VULKAN_SLOTS};
    MS_VULKAN_TRY(device->call.vkAllocateCommandBuffers(device->handle, &info, commands), "allocating command buffers");
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) device->transfer.slots[i].commands = commands[i];
    return MS_OK;
}

void ms_vulkan_transfer_finish(ms_backend_device *device) {
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) {
        ms_vulkan_release(device, &device->transfer.slots[i].upload);
        ms_vulkan_release(device, &device->transfer.slots[i].download);
    }
}

/* The next slot of the ring, free, with its command buffer begun behind a full barrier. */
static ms_status begin_slot(ms_backend_device *device, ms_vulkan_slot **out) {
    ms_vulkan_slot *slot = &device->transfer.slots[device->transfer.next];
    MS_TRY(ms_vulkan_wait(device, slot->busy_until));
    device->transfer.next = (device->transfer.next + 1) % MS_VULKAN_SLOTS;
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(device->call.vkBeginCommandBuffer(slot->commands, &begin), "beginning a copy");
    ms_vulkan_full_barrier(device, slot->commands);
    *out = slot;
    return MS_OK;
}

static ms_status submit_slot(ms_backend_device *device, ms_vulkan_slot *slot) {
    ms_vulkan_full_barrier(device, slot->commands);
    MS_VULKAN_TRY(device->call.vkEndCommandBuffer(slot->commands), "ending a copy");
    return ms_vulkan_submit(device, slot->commands, &slot->busy_until);
}

/* Staging memory is made when a slot is first used: small transfers get a small one. */
static ms_status reserve_staging(ms_backend_device *device, ms_vulkan_memory_kind kind, size_t size,
                                 ms_vulkan_range *range) {
    if (range->size >= size) return MS_OK;
    size_t wanted = size < 65536 ? 65536 : MS_VULKAN_SLOT_BYTES;
    ms_vulkan_release(device, range);
    return ms_vulkan_allocate(device, kind, wanted, range);
}

static size_t piece_size(size_t left) { return left < MS_VULKAN_SLOT_BYTES ? left : MS_VULKAN_SLOT_BYTES; }

ms_status ms_vulkan_upload(ms_backend_device *device, const ms_vulkan_range *range, size_t offset_bytes,
                           const void *data, size_t size_bytes) {
    for (size_t done = 0; done < size_bytes;) {
        size_t size = piece_size(size_bytes - done);
        ms_vulkan_slot *slot;
        MS_TRY(begin_slot(device, &slot));
        MS_TRY_NOTE(reserve_staging(device, MS_VULKAN_HOST_WRITES, size, &slot->upload), "staging");
        memcpy(slot->upload.mapped, (const char *)data + done, size);
        VkBufferCopy copy = {slot->upload.offset, range->offset + offset_bytes + done, size};
        device->call.vkCmdCopyBuffer(slot->commands, slot->upload.buffer, range->buffer, 1, &copy);
        MS_TRY(submit_slot(device, slot));
        done += size;
    }
    return MS_OK;
}

static ms_status begin_download(ms_backend_device *device, const ms_vulkan_range *range, size_t offset, size_t size,
                                ms_vulkan_slot **out) {
    ms_vulkan_slot *slot;
    MS_TRY(begin_slot(device, &slot));
    MS_TRY_NOTE(reserve_staging(device, MS_VULKAN_HOST_READS, size, &slot->download), "staging");
    VkBufferCopy copy = {range->offset + offset, slot->download.offset, size};
    device->call.vkCmdCopyBuffer(slot->commands, range->buffer, slot->download.buffer, 1, &copy);
    MS_TRY(submit_slot(device, slot));
    *out = slot;
    return MS_OK;
}

/* The device copies the next piece while the host copies this one. */
ms_status ms_vulkan_download(ms_backend_device *device, const ms_vulkan_range *range, size_t offset_bytes,
                             void *out_data, size_t size_bytes) {
    if (size_bytes == 0) return MS_OK;
    ms_vulkan_slot *slot, *next_slot = NULL;
    size_t size = piece_size(size_bytes);
    MS_TRY(begin_download(device, range, offset_bytes, size, &slot));
    for (size_t done = 0; done < size_bytes;) {
        size_t next = done + size, next_size = piece_size(size_bytes - next);
        if (next_size > 0) MS_TRY(begin_download(device, range, offset_bytes + next, next_size, &next_slot));
        MS_TRY(ms_vulkan_wait(device, slot->busy_until));
        memcpy((char *)out_data + done, slot->download.mapped, size);
        slot = next_slot;
        done = next;
        size = next_size;
    }
    return MS_OK;
}

ms_status ms_vulkan_zero(ms_backend_device *device, const ms_vulkan_range *range) {
    ms_vulkan_slot *slot;
    MS_TRY(begin_slot(device, &slot));
    device->call.vkCmdFillBuffer(slot->commands, range->buffer, range->offset, range->size, 0);
    return submit_slot(device, slot);
}
