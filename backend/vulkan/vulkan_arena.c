#include "backend/vulkan/vulkan_arena.h"

#include <stdlib.h>

void ms_vulkan_arena_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_arena *out) {
    *out = (ms_vulkan_arena){.memory = memory, .lanes = lanes, .generation = 1};
}

void ms_vulkan_arena_finish(ms_vulkan_arena *arena) {
    free(arena->pieces);
    arena->pieces = NULL;
}

VkDeviceAddress ms_vulkan_arena_address(const ms_vulkan_arena *arena, int64_t offset_bytes) {
    VkDeviceSize offset = (VkDeviceSize)offset_bytes, piece = offset / ms_vulkan_piece_bytes(arena->memory);
    if (piece >= (VkDeviceSize)arena->n_pieces) return 0; /* a tensor without elements */
    return arena->pieces[piece].address + offset % ms_vulkan_piece_bytes(arena->memory);
}

static void release_arena(ms_vulkan_arena *arena) {
    for (int i = 0; i < arena->n_pieces; i++) ms_vulkan_release(arena->memory, &arena->pieces[i]);
    free(arena->pieces);
    arena->pieces = NULL;
    arena->n_pieces = 0;
    arena->size_bytes = 0;
}

static ms_status allocate_arena(ms_vulkan_arena *arena, size_t size) {
    size_t piece = ms_vulkan_piece_bytes(arena->memory), n = (size + piece - 1) / piece;
    arena->pieces = calloc(n, sizeof *arena->pieces);
    if (!arena->pieces) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    for (size_t done = 0; done < size; done += piece) {
        size_t bytes = size - done < piece ? size - done : piece;
        MS_TRY_NOTE(ms_vulkan_allocate(arena->memory, MS_VULKAN_DEVICE_LOCAL, bytes, &arena->pieces[arena->n_pieces]),
                    "arena of %zu bytes", size);
        arena->n_pieces++;
    }
    arena->size_bytes = size;
    return MS_OK;
}

static ms_status grow_arena(ms_vulkan_arena *arena, size_t size) {
    if (size <= arena->size_bytes) return MS_OK;
    MS_TRY(ms_vulkan_wait_all(arena->lanes));
    release_arena(arena);
    arena->generation++;
    ms_status status = allocate_arena(arena, size);
    if (status != MS_OK) release_arena(arena);
    return status;
}

static ms_status grow_workspace(ms_vulkan_arena *arena, size_t size) {
    if (size <= arena->workspace.size) return MS_OK;
    MS_TRY(ms_vulkan_wait_all(arena->lanes));
    ms_vulkan_release(arena->memory, &arena->workspace);
    arena->generation++;
    MS_TRY_NOTE(ms_vulkan_allocate(arena->memory, MS_VULKAN_DEVICE_LOCAL, size, &arena->workspace),
                "workspace of %zu bytes", size);
    return MS_OK;
}

ms_status ms_vulkan_arena_reserve(ms_vulkan_arena *arena, size_t arena_bytes, size_t workspace_bytes) {
    MS_TRY(grow_arena(arena, arena_bytes));
    return grow_workspace(arena, workspace_bytes);
}
