/* Announced downloads on a device with one queue: what is submitted behind a program starts behind it, so a copy that
   is not to wait for the program must be submitted before it.  The device copies what was announced into host memory of
   the same size; the host takes it from there while the program runs. */
#include "backend/vulkan/vulkan_announce.h"

#include <stdlib.h>
#include <string.h>

#include "backend/staging.h"
#include "backend/vulkan/vulkan_status.h"

void ms_vulkan_announce_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_announcement *out) {
    *out = (ms_vulkan_announcement){.memory = memory, .lanes = lanes};
}

bool ms_vulkan_copies_announced(const ms_vulkan_announcement *announcement) {
    return !announcement->lanes->copies.queue;
}

static void release_chunks(ms_vulkan_announcement *announcement) {
    for (int i = 0; i < announcement->n_chunks; i++) ms_vulkan_release(announcement->memory, &announcement->chunks[i]);
    free(announcement->chunks);
    announcement->chunks = NULL;
    announcement->n_chunks = 0;
}

void ms_vulkan_forget_announced(ms_vulkan_announcement *announcement) { announcement->n_pieces = 0; }

void ms_vulkan_announce_finish(ms_vulkan_announcement *announcement) {
    release_chunks(announcement);
    free(announcement->pieces);
    announcement->pieces = NULL;
    ms_vulkan_forget_announced(announcement);
}

/* Memory for the parts, in chunks as large as an allocation may be.  The same parts as before find it there. */
static ms_status reserve(ms_vulkan_announcement *announcement, const ms_backend_part *parts, int n_parts) {
    ms_staging_cursor cursor = ms_staging_begin(parts, n_parts);
    const size_t most = (size_t)ms_vulkan_piece_bytes(announcement->memory);
    bool fits = true;
    int n_chunks = 0;
    for (; !ms_staging_is_done(cursor); n_chunks++) {
        size_t used = ms_staging_skip_slot(&cursor, most);
        fits = fits && n_chunks < announcement->n_chunks && announcement->chunks[n_chunks].size >= used;
    }
    if (fits) return MS_OK;
    release_chunks(announcement);
    announcement->chunks = calloc((size_t)n_chunks, sizeof *announcement->chunks);
    if (!announcement->chunks) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d chunks", n_chunks);
    cursor = ms_staging_begin(parts, n_parts);
    for (int i = 0; i < n_chunks; i++) {
        size_t used = ms_staging_skip_slot(&cursor, most);
        MS_TRY_NOTE(ms_vulkan_allocate(announcement->memory, MS_VULKAN_HOST_READS, used, &announcement->chunks[i]),
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

static ms_status record(ms_vulkan_announcement *announcement, const ms_backend_part *parts, int n_parts) {
    const ms_vulkan_context *context = announcement->lanes->context;
    ms_staging_cursor cursor = ms_staging_begin(parts, n_parts);
    for (int i = 0; i < announcement->n_chunks && !ms_staging_is_done(cursor); i++) {
        const ms_vulkan_range *chunk = &announcement->chunks[i];
        ms_staging_piece piece;
        size_t used = 0;
        while (ms_staging_next(&cursor, (size_t)ms_vulkan_piece_bytes(announcement->memory), &used, &piece)) {
            const ms_vulkan_range *range = parts[piece.part].buffer;
            size_t offset = parts[piece.part].offset_bytes + piece.part_offset;
            VkBufferCopy copy = {range->offset + offset, chunk->offset + piece.slot_offset, piece.size_bytes};
            context->call.vkCmdCopyBuffer(announcement->commands, range->buffer, chunk->buffer, 1, &copy);
            MS_TRY(add_piece(announcement, (ms_vulkan_announced){range, offset, piece.size_bytes,
                                                                 (const char *)chunk->mapped + piece.slot_offset}));
        }
    }
    return MS_OK;
}

static ms_status make_commands(ms_vulkan_announcement *announcement) {
    const ms_vulkan_context *context = announcement->lanes->context;
    if (announcement->commands) return MS_OK;
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = announcement->lanes->work.pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    return ms_vulkan_status(context->call.vkAllocateCommandBuffers(context->handle, &info, &announcement->commands),
                            "allocating a command buffer");
}

static ms_status copy_parts(ms_vulkan_announcement *announcement, const ms_backend_part *parts, int n_parts) {
    const ms_vulkan_context *context = announcement->lanes->context;
    MS_TRY(make_commands(announcement));
    /* The copies of before must be over, and were if anybody wanted them. */
    MS_TRY(ms_vulkan_wait(announcement->lanes, &announcement->lanes->work, announcement->value));
    MS_TRY(reserve(announcement, parts, n_parts));
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(context->call.vkBeginCommandBuffer(announcement->commands, &begin), "beginning a copy");
    ms_vulkan_full_barrier(context, announcement->commands);
    MS_TRY(record(announcement, parts, n_parts));
    ms_vulkan_full_barrier(context, announcement->commands);
    MS_VULKAN_TRY(context->call.vkEndCommandBuffer(announcement->commands), "ending a copy");
    return ms_vulkan_submit(announcement->lanes, &announcement->lanes->work, announcement->commands, 0,
                            &announcement->value);
}

ms_status ms_vulkan_announce(ms_vulkan_announcement *announcement, const ms_backend_part *parts, int n_parts) {
    if (!ms_vulkan_copies_announced(announcement)) return MS_OK;
    ms_vulkan_forget_announced(announcement);
    ms_status status = copy_parts(announcement, parts, n_parts);
    if (status != MS_OK) ms_vulkan_forget_announced(announcement);
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

ms_status ms_vulkan_take_announced(const ms_vulkan_announcement *announcement, const ms_backend_part *parts,
                                   int n_parts, void *const *out_data, bool *out_served) {
    *out_served = announcement->n_pieces > 0;
    for (int i = 0; *out_served && i < n_parts; i++) *out_served = take_part(announcement, &parts[i], NULL);
    if (!*out_served) return MS_OK;
    MS_TRY(ms_vulkan_wait(announcement->lanes, &announcement->lanes->work, announcement->value));
    for (int i = 0; i < n_parts; i++) (void)take_part(announcement, &parts[i], out_data[i]);
    return MS_OK;
}
