/* Uploads and downloads through rings of staging slots.  An upload is one more submission to the work lane: it comes
   after the programs submitted before it and before those after it, and the host waits only for a slot that is still in
   use.  A download goes over the lane of copies, where it waits on the device for the last write to what it reads: the
   programs submitted since go on beside it.  On a device with one queue it is in order with them, unless it was
   announced (vulkan_announce.c). */
#include <string.h>

#include "backend/staging.h"
#include "backend/vulkan/vulkan_device.h"

static ms_vulkan_lane *download_lane(ms_backend_device *device) {
    return device->copies.queue ? &device->copies : &device->work;
}

static ms_status make_slots(ms_backend_device *device, const ms_vulkan_lane *lane, ms_vulkan_slot *slots) {
    VkCommandBuffer commands[MS_VULKAN_SLOTS];
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = lane->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = MS_VULKAN_SLOTS};
    MS_VULKAN_TRY(device->call.vkAllocateCommandBuffers(device->handle, &info, commands), "allocating command buffers");
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) slots[i].commands = commands[i];
    return MS_OK;
}

ms_status ms_vulkan_transfer_init(ms_backend_device *device) {
    MS_TRY(make_slots(device, &device->work, device->transfer.uploads));
    return make_slots(device, download_lane(device), device->transfer.downloads);
}

void ms_vulkan_transfer_finish(ms_backend_device *device) {
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) {
        ms_vulkan_release(device, &device->transfer.uploads[i].staging);
        ms_vulkan_release(device, &device->transfer.downloads[i].staging);
    }
}

/* The next slot of a ring, free, with `size` bytes of staging memory (0: none) and its command buffer begun.  Memory is
   made when a slot is first used: small transfers get a small one. */
static ms_status begin_slot(ms_backend_device *device, ms_vulkan_lane *lane, ms_vulkan_memory_kind kind, size_t size,
                            ms_vulkan_slot *slots, int *next, ms_vulkan_slot **out) {
    ms_vulkan_slot *slot = &slots[*next];
    MS_TRY(ms_vulkan_wait(device, lane, slot->busy_until));
    *next = (*next + 1) % MS_VULKAN_SLOTS;
    if (slot->staging.size < size) {
        ms_vulkan_release(device, &slot->staging);
        MS_TRY_NOTE(ms_vulkan_allocate(device, kind, size <= 65536 ? 65536 : MS_VULKAN_SLOT_BYTES, &slot->staging),
                    "staging");
    }
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(device->call.vkBeginCommandBuffer(slot->commands, &begin), "beginning a copy");
    if (lane == &device->work) ms_vulkan_full_barrier(device, slot->commands);
    *out = slot;
    return MS_OK;
}

/* A queue that only copies knows no other stages. */
static void barrier_to_host(ms_backend_device *device, VkCommandBuffer commands) {
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    device->call.vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                      &barrier, 0, NULL, 0, NULL);
}

static ms_status submit_slot(ms_backend_device *device, ms_vulkan_lane *lane, uint64_t after, ms_vulkan_slot *slot) {
    if (lane == &device->work)
        ms_vulkan_full_barrier(device, slot->commands);
    else
        barrier_to_host(device, slot->commands);
    MS_VULKAN_TRY(device->call.vkEndCommandBuffer(slot->commands), "ending a copy");
    return ms_vulkan_submit(device, lane, slot->commands, lane == &device->work ? 0 : after, &slot->busy_until);
}

static ms_status begin_upload(ms_backend_device *device, size_t size, ms_vulkan_slot **out) {
    ms_vulkan_transfer *transfer = &device->transfer;
    return begin_slot(device, &device->work, MS_VULKAN_HOST_WRITES, size, transfer->uploads, &transfer->next_upload,
                      out);
}

static ms_status submit_upload(ms_backend_device *device, ms_vulkan_slot *slot, ms_vulkan_range *range) {
    MS_TRY(submit_slot(device, &device->work, 0, slot));
    range->written = slot->busy_until;
    return MS_OK;
}

ms_status ms_vulkan_upload(ms_backend_device *device, ms_vulkan_range *range, size_t offset_bytes, const void *data,
                           size_t size_bytes) {
    for (size_t done = 0; done < size_bytes;) {
        size_t left = size_bytes - done, size = left < MS_VULKAN_SLOT_BYTES ? left : MS_VULKAN_SLOT_BYTES;
        ms_vulkan_slot *slot;
        MS_TRY(begin_upload(device, size, &slot));
        memcpy(slot->staging.mapped, (const char *)data + done, size);
        VkBufferCopy copy = {slot->staging.offset, range->offset + offset_bytes + done, size};
        device->call.vkCmdCopyBuffer(slot->commands, slot->staging.buffer, range->buffer, 1, &copy);
        MS_TRY(submit_upload(device, slot, range));
        done += size;
    }
    return MS_OK;
}

ms_status ms_vulkan_zero(ms_backend_device *device, ms_vulkan_range *range) {
    ms_vulkan_slot *slot;
    MS_TRY(begin_upload(device, 0, &slot));
    device->call.vkCmdFillBuffer(slot->commands, range->buffer, range->offset, range->size, 0);
    return submit_upload(device, slot, range);
}

/* A download under way: slots are filled by the device from `started` on, and emptied by the host from `finished` on.
 */
typedef struct download {
    ms_staging_cursor started, finished;
    ms_vulkan_slot *slots[MS_VULKAN_SLOTS];
    uint64_t after[MS_VULKAN_SLOTS]; /* the work lane's value that each waits for */
    int n_started, n_finished;
} download;

static ms_status start_slot(ms_backend_device *device, download *d) {
    ms_vulkan_transfer *transfer = &device->transfer;
    ms_vulkan_lane *lane = download_lane(device);
    ms_vulkan_slot *slot;
    ms_staging_cursor ahead = d->started;
    size_t size = ms_staging_skip_slot(&ahead, MS_VULKAN_SLOT_BYTES);
    MS_TRY(begin_slot(device, lane, MS_VULKAN_HOST_READS, size, transfer->downloads, &transfer->next_download, &slot));
    uint64_t after = 0;
    size_t used = 0;
    ms_staging_piece piece;
    while (ms_staging_next(&d->started, MS_VULKAN_SLOT_BYTES, &used, &piece)) {
        const ms_backend_part *part = &d->started.parts[piece.part];
        const ms_vulkan_range *range = part->buffer;
        VkBufferCopy copy = {range->offset + part->offset_bytes + piece.part_offset,
                             slot->staging.offset + piece.slot_offset, piece.size_bytes};
        device->call.vkCmdCopyBuffer(slot->commands, range->buffer, slot->staging.buffer, 1, &copy);
        if (range->written > after) after = range->written;
    }
    MS_TRY(submit_slot(device, lane, after, slot));
    d->slots[d->n_started % MS_VULKAN_SLOTS] = slot;
    d->after[d->n_started++ % MS_VULKAN_SLOTS] = after;
    return MS_OK;
}

static ms_status finish_slot(ms_backend_device *device, download *d, void *const *out_data) {
    const ms_vulkan_slot *slot = d->slots[d->n_finished % MS_VULKAN_SLOTS];
    MS_TRY(ms_vulkan_wait(device, download_lane(device), slot->busy_until));
    /* Over by now: what shaders reported until then is told here. */
    MS_TRY(ms_vulkan_wait(device, &device->work, d->after[d->n_finished++ % MS_VULKAN_SLOTS]));
    size_t used = 0;
    ms_staging_piece piece;
    while (ms_staging_next(&d->finished, MS_VULKAN_SLOT_BYTES, &used, &piece))
        memcpy((char *)out_data[piece.part] + piece.part_offset, (const char *)slot->staging.mapped + piece.slot_offset,
               piece.size_bytes);
    return MS_OK;
}

/* The device copies the next slotfuls while the host copies these. */
ms_status ms_vulkan_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                             void *const *out_data) {
    enum { AHEAD = 3 };
    bool served;
    MS_TRY(ms_vulkan_take_announced(device, parts, n_parts, out_data, &served));
    if (served) return MS_OK;
    download d = {.started = ms_staging_begin(parts, n_parts), .finished = ms_staging_begin(parts, n_parts)};
    ms_status status = MS_OK;
    while (status == MS_OK && !ms_staging_is_done(d.finished)) {
        while (status == MS_OK && !ms_staging_is_done(d.started) && d.n_started - d.n_finished < AHEAD)
            status = start_slot(device, &d);
        if (status == MS_OK) status = finish_slot(device, &d, out_data);
    }
    return status; /* after an error some slots may still be filled: whoever takes them next waits for them */
}
