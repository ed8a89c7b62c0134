/* Uploads and downloads through rings of staging slots.  An upload is one more submission to the work lane: it comes
   after the programs submitted before it and before those after it, and the host waits only for a slot that is still in
   use.  A download goes over the lane of copies, where it waits on the device for the last write to what it reads: the
   programs submitted since go on beside it.  On a device with one queue it is in order with them, unless it was
   announced (vulkan_announce.c). */
#include "backend/vulkan/vulkan_transfer.h"

#include <string.h>

#include "backend/staging.h"
#include "backend/vulkan/vulkan_status.h"

static ms_vulkan_lane *download_lane(ms_vulkan_lanes *lanes) {
    return lanes->copies.queue ? &lanes->copies : &lanes->work;
}

static ms_status make_slots(const ms_vulkan_context *context, const ms_vulkan_lane *lane, ms_vulkan_slot *slots) {
    VkCommandBuffer commands[MS_VULKAN_SLOTS];
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = lane->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = MS_VULKAN_SLOTS};
    MS_VULKAN_TRY(context->call.vkAllocateCommandBuffers(context->handle, &info, commands),
                  "allocating command buffers");
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) slots[i].commands = commands[i];
    return MS_OK;
}

ms_status ms_vulkan_transfer_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_transfer *out) {
    *out = (ms_vulkan_transfer){.context = lanes->context, .memory = memory, .lanes = lanes};
    out->uploads.kind = MS_VULKAN_HOST_WRITES;
    out->downloads.kind = MS_VULKAN_HOST_READS;
    MS_TRY(make_slots(lanes->context, &lanes->work, out->uploads.slots));
    return make_slots(lanes->context, download_lane(lanes), out->downloads.slots);
}

void ms_vulkan_transfer_finish(ms_vulkan_transfer *transfer) {
    for (int i = 0; i < MS_VULKAN_SLOTS; i++) {
        ms_vulkan_release(transfer->memory, &transfer->uploads.slots[i].staging);
        ms_vulkan_release(transfer->memory, &transfer->downloads.slots[i].staging);
    }
}

/* The next slot of a ring, free, with `size` bytes of staging memory (0: none) and its command buffer begun.  Memory is
   made when a slot is first used: small transfers get a small one. */
static ms_status begin_slot(ms_vulkan_transfer *transfer, ms_vulkan_lane *lane, ms_vulkan_ring *ring, size_t size,
                            ms_vulkan_slot **out) {
    *out = NULL;
    ms_vulkan_slot *slot = &ring->slots[ring->next];
    MS_TRY(ms_vulkan_wait(transfer->lanes, lane, slot->busy_until));
    ring->next = (ring->next + 1) % MS_VULKAN_SLOTS;
    if (slot->staging.size < size) {
        ms_vulkan_release(transfer->memory, &slot->staging);
        MS_TRY_NOTE(ms_vulkan_allocate(transfer->memory, ring->kind, size <= 65536 ? 65536 : MS_VULKAN_SLOT_BYTES,
                                       &slot->staging),
                    "staging");
    }
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(transfer->context->call.vkBeginCommandBuffer(slot->commands, &begin), "beginning a copy");
    if (lane == &transfer->lanes->work) ms_vulkan_full_barrier(transfer->context, slot->commands);
    *out = slot;
    return MS_OK;
}

/* A queue that only copies knows no other stages. */
static void barrier_to_host(const ms_vulkan_context *context, VkCommandBuffer commands) {
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    context->call.vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                       &barrier, 0, NULL, 0, NULL);
}

static ms_status submit_slot(ms_vulkan_transfer *transfer, ms_vulkan_lane *lane, uint64_t after, ms_vulkan_slot *slot) {
    if (lane == &transfer->lanes->work)
        ms_vulkan_full_barrier(transfer->context, slot->commands);
    else
        barrier_to_host(transfer->context, slot->commands);
    MS_VULKAN_TRY(transfer->context->call.vkEndCommandBuffer(slot->commands), "ending a copy");
    return ms_vulkan_submit(transfer->lanes, lane, slot->commands, lane == &transfer->lanes->work ? 0 : after,
                            &slot->busy_until);
}

static ms_status begin_upload(ms_vulkan_transfer *transfer, size_t size, ms_vulkan_slot **out) {
    return begin_slot(transfer, &transfer->lanes->work, &transfer->uploads, size, out);
}

static ms_status submit_upload(ms_vulkan_transfer *transfer, ms_vulkan_slot *slot, ms_vulkan_range *range) {
    MS_TRY(submit_slot(transfer, &transfer->lanes->work, 0, slot));
    range->written = slot->busy_until;
    return MS_OK;
}

ms_status ms_vulkan_upload(ms_vulkan_transfer *transfer, ms_vulkan_range *range, size_t offset_bytes, const void *data,
                           size_t size_bytes) {
    for (size_t done = 0; done < size_bytes;) {
        size_t left = size_bytes - done, size = left < MS_VULKAN_SLOT_BYTES ? left : MS_VULKAN_SLOT_BYTES;
        ms_vulkan_slot *slot;
        MS_TRY(begin_upload(transfer, size, &slot));
        memcpy(slot->staging.mapped, (const char *)data + done, size);
        VkBufferCopy copy = {slot->staging.offset, range->offset + offset_bytes + done, size};
        transfer->context->call.vkCmdCopyBuffer(slot->commands, slot->staging.buffer, range->buffer, 1, &copy);
        MS_TRY(submit_upload(transfer, slot, range));
        done += size;
    }
    return MS_OK;
}

ms_status ms_vulkan_zero(ms_vulkan_transfer *transfer, ms_vulkan_range *range) {
    ms_vulkan_slot *slot;
    MS_TRY(begin_upload(transfer, 0, &slot));
    transfer->context->call.vkCmdFillBuffer(slot->commands, range->buffer, range->offset, range->size, 0);
    return submit_upload(transfer, slot, range);
}

/* A download under way: slots are filled by the device from `started` on, and emptied by the host from `finished`
   on. */
typedef struct download {
    ms_staging_cursor started, finished;
    ms_vulkan_slot *slots[MS_VULKAN_SLOTS];
    uint64_t after[MS_VULKAN_SLOTS]; /* the work lane's value that each waits for */
    int n_started, n_finished;
} download;

static ms_status start_slot(ms_vulkan_transfer *transfer, download *d) {
    ms_vulkan_lane *lane = download_lane(transfer->lanes);
    ms_vulkan_slot *slot;
    ms_staging_cursor ahead = d->started;
    size_t size = ms_staging_skip_slot(&ahead, MS_VULKAN_SLOT_BYTES);
    MS_TRY(begin_slot(transfer, lane, &transfer->downloads, size, &slot));
    uint64_t after = 0;
    size_t used = 0;
    ms_staging_piece piece;
    while (ms_staging_next(&d->started, MS_VULKAN_SLOT_BYTES, &used, &piece)) {
        const ms_backend_part *part = &d->started.parts[piece.part];
        const ms_vulkan_range *range = part->buffer;
        VkBufferCopy copy = {range->offset + part->offset_bytes + piece.part_offset,
                             slot->staging.offset + piece.slot_offset, piece.size_bytes};
        transfer->context->call.vkCmdCopyBuffer(slot->commands, range->buffer, slot->staging.buffer, 1, &copy);
        if (range->written > after) after = range->written;
    }
    MS_TRY(submit_slot(transfer, lane, after, slot));
    d->slots[d->n_started % MS_VULKAN_SLOTS] = slot;
    d->after[d->n_started++ % MS_VULKAN_SLOTS] = after;
    return MS_OK;
}

static ms_status finish_slot(ms_vulkan_transfer *transfer, download *d, void *const *out_data) {
    const ms_vulkan_slot *slot = d->slots[d->n_finished % MS_VULKAN_SLOTS];
    MS_TRY(ms_vulkan_wait(transfer->lanes, download_lane(transfer->lanes), slot->busy_until));
    /* Over by now: what shaders reported until then is told here. */
    MS_TRY(ms_vulkan_wait(transfer->lanes, &transfer->lanes->work, d->after[d->n_finished++ % MS_VULKAN_SLOTS]));
    size_t used = 0;
    ms_staging_piece piece;
    while (ms_staging_next(&d->finished, MS_VULKAN_SLOT_BYTES, &used, &piece))
        memcpy((char *)out_data[piece.part] + piece.part_offset, (const char *)slot->staging.mapped + piece.slot_offset,
               piece.size_bytes);
    return MS_OK;
}

/* The device copies the next slotfuls while the host copies these. */
ms_status ms_vulkan_download(ms_vulkan_transfer *transfer, const ms_backend_part *parts, int n_parts,
                             void *const *out_data) {
    enum { AHEAD = 3 };
    download d = {.started = ms_staging_begin(parts, n_parts), .finished = ms_staging_begin(parts, n_parts)};
    ms_status status = MS_OK;
    while (status == MS_OK && !ms_staging_is_done(d.finished)) {
        while (status == MS_OK && !ms_staging_is_done(d.started) && d.n_started - d.n_finished < AHEAD)
            status = start_slot(transfer, &d);
        if (status == MS_OK) status = finish_slot(transfer, &d, out_data);
    }
    return status; /* after an error some slots may still be filled: whoever takes them next waits for them */
}
