/* Announced downloads on a device with one queue: what is submitted behind a program starts behind it, so a copy that
   is not to wait for the program must be submitted before it.  The device copies what was announced into host memory of
   the same size; the host takes it from there while the program runs. */
#include <stdlib.h>
#include <string.h>

#include "backend/staging.h"
#include "backend/vulkan/vulkan_device.h"

bool ms_vulkan_copies_announced(const ms_backend_device *device) { return !device->copies.queue; }

static void release_chunks(ms_backend_device *device) {
    ms_vulkan_announcement *announcement = &device->announcement;
    for (int i = 0; i < announcement->n_chunks; i++) ms_vulkan_release(device, &announcement->chunks[i]);
    free(announcement->chunks);
    announcement->chunks = NULL;
    announcement->n_chunks = 0;
}

void ms_vulkan_forget_announced(ms_backend_device *device) { device->announcement.n_pieces = 0; }

void ms_vulkan_announce_finish(ms_backend_device *device) {
    release_chunks(device);
    free(device->announcement.pieces);
    device->announcement.pieces = NULL;
    ms_vulkan_forget_announced(device);
}

/* Memory for the parts, in chunks as large as an allocation may be.  The same parts as before find it there. */
static ms_status reserve(ms_backend_device *device, const ms_backend_part *parts, int n_parts) {
    ms_vulkan_announcement *announcement = &device->announcement;
    ms_staging_cursor cursor = ms_staging_begin(parts, n_parts);
    const size_t most = (size_t)ms_vulkan_piece_bytes(device);
    bool fits = true;
    int n_chunks = 0;
    for (; !ms_staging_is_done(cursor); n_chunks++) {
        size_t used = ms_staging_skip_slot(&cursor, most);
        fits = fits && n_chunks < announcement->n_chunks && announcement->chunks[n_chunks].size >= used;
    }
    if (fits) return MS_OK;
    release_chunks(device);
    announcement->chunks = calloc((size_t)n_chunks, sizeof *announcement->chunks);
    if (!announcement->chunks) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d chunks", n_chunks);
    cursor = ms_staging_begin(parts, n_parts);
    for (int i = 0; i < n_chunks; i++) {
        size_t used = ms_staging_skip_slot(&cursor, most);
        MS_TRY_NOTE(ms_vulkan_allocate(device, MS_VULKAN_HOST_READS, used, &announcement->chunks[i]),
                    "copies of what is downloaded beside the work");
        announcement->n_chunks++;
    }
    return MS_OK;
}

static ms_status add_piece(ms_vulkan_announcement *announcement, ms_vulkan_announced piece) {
    if (announcement->n_pieces == announcement->piece_capacity) {
        int capacity = announcement->piece_capacity ? 2 * announcement->piece_capacity : 64;
        ms_vulkan_announced *pieces = realloc(announcement->pieces, (size_t)capacity * sizeof *pieces);
        if (!pieces) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d announced pieces", capacity);
        announcement->pieces = pieces;
        announcement->piece_capacity = capacity;
    }
    announcement->pieces[announcement->n_pieces++] = piece;
    return MS_OK;
}

static ms_status record(ms_backend_device *device, const ms_backend_part *parts, int n_parts) {
    ms_vulkan_announcement *announcement = &device->announcement;
    ms_staging_cursor cursor = ms_staging_begin(parts, n_parts);
    for (int i = 0; i < announcement->n_chunks && !ms_staging_is_done(cursor); i++) {
        const ms_vulkan_range *chunk = &announcement->chunks[i];
        ms_staging_piece piece;
        size_t used = 0;
        while (ms_staging_next(&cursor, (size_t)ms_vulkan_piece_bytes(device), &used, &piece)) {
            const ms_vulkan_range *range = parts[piece.part].buffer;
            size_t offset = parts[piece.part].offset_bytes + piece.part_offset;
            VkBufferCopy copy = {range->offset + offset, chunk->offset + piece.slot_offset, piece.size_bytes};
            device->call.vkCmdCopyBuffer(announcement->commands, range->buffer, chunk->buffer, 1, &copy);
            MS_TRY(add_piece(announcement, (ms_vulkan_announced){range, offset, piece.size_bytes,
                                                                 (const char *)chunk->mapped + piece.slot_offset}));
        }
    }
    return MS_OK;
}

static ms_status make_commands(ms_backend_device *device) {
    if (device->announcement.commands) return MS_OK;
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = device->work.pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    return ms_vulkan_status(
        device->call.vkAllocateCommandBuffers(device->handle, &info, &device->announcement.commands),
        "allocating a command buffer");
}

static ms_status copy_parts(ms_backend_device *device, const ms_backend_part *parts, int n_parts) {
    ms_vulkan_announcement *announcement = &device->announcement;
    MS_TRY(make_commands(device));
    /* The copies of before must be over, and were if anybody wanted them. */
    MS_TRY(ms_vulkan_wait(device, &device->work, announcement->value));
    MS_TRY(reserve(device, parts, n_parts));
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(device->call.vkBeginCommandBuffer(announcement->commands, &begin), "beginning a copy");
    ms_vulkan_full_barrier(device, announcement->commands);
    MS_TRY(record(device, parts, n_parts));
    ms_vulkan_full_barrier(device, announcement->commands);
    MS_VULKAN_TRY(device->call.vkEndCommandBuffer(announcement->commands), "ending a copy");
    return ms_vulkan_submit(device, &device->work, announcement->commands, 0, &announcement->value);
}

ms_status ms_vulkan_announce(ms_backend_device *device, const ms_backend_part *parts, int n_parts) {
    if (!ms_vulkan_copies_announced(device)) return MS_OK;
    ms_vulkan_forget_announced(device);
    ms_status status = copy_parts(device, parts, n_parts);
    if (status != MS_OK) ms_vulkan_forget_announced(device);
    return status;
}

/* The copy of the byte of a range at an offset, NULL: there is none; *out_size: bytes that follow in the same copy. */
static const char *find_copy(const ms_vulkan_announcement *announcement, const ms_vulkan_range *range, size_t offset,
                             size_t *out_size) {
    for (int i = 0; i < announcement->n_pieces; i++) {
        const ms_vulkan_announced *piece = &announcement->pieces[i];
        if (piece->range != range || offset < piece->offset || offset >= piece->offset + piece->size) continue;
        *out_size = piece->size - (offset - piece->offset);
        return piece->copy + (offset - piece->offset);
    }
    return NULL;
}

/* Copies a part to `out`, or only looks whether that can be done when out is NULL. */
static bool take_part(const ms_vulkan_announcement *announcement, const ms_backend_part *part, char *out) {
    const ms_vulkan_range *range = part->buffer;
    if (range->written > announcement->value) return false; /* written since */
    for (size_t done = 0; done < part->size_bytes;) {
        size_t size = 0, left = part->size_bytes - done;
        const char *copy = find_copy(announcement, range, part->offset_bytes + done, &size);
        if (!copy) return false;
        if (size > left) size = left;
        if (out) memcpy(out + done, copy, size);
        done += size;
    }
    return true;
}

ms_status ms_vulkan_take_announced(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                                   void *const *out_data, bool *out_served) {
    const ms_vulkan_announcement *announcement = &device->announcement;
    *out_served = announcement->n_pieces > 0;
    for (int i = 0; *out_served && i < n_parts; i++) *out_served = take_part(announcement, &parts[i], NULL);
    if (!*out_served) return MS_OK;
    MS_TRY(ms_vulkan_wait(device, &device->work, announcement->value));
    for (int i = 0; i < n_parts; i++) (void)take_part(announcement, &parts[i], out_data[i]);
    return MS_OK;
}
