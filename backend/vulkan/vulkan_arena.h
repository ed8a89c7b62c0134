/* Memory that all programs of a device share, since one runs at a time: arena and workspace. */
#ifndef MS_BACKEND_VULKAN_VULKAN_ARENA_H
#define MS_BACKEND_VULKAN_VULKAN_ARENA_H

#include "backend/vulkan/vulkan_queue.h"

/* Temporaries, in pieces where one allocation cannot hold all: a plan lays no tensor across two. */
typedef struct ms_vulkan_arena {
    ms_vulkan_memory *memory; /* borrowed */
    ms_vulkan_lanes *lanes;   /* borrowed */
    ms_vulkan_range *pieces;  /* of ms_vulkan_piece_bytes, the last one smaller */
    int n_pieces;
    size_t size_bytes;
    ms_vulkan_range workspace; /* scratch of the op at work */
    uint64_t generation;       /* counts moves of either, from 1: recorded programs are stale then */
} ms_vulkan_arena;

void ms_vulkan_arena_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_arena *out);
/* Leaves device memory to ms_vulkan_memory_finish. */
void ms_vulkan_arena_finish(ms_vulkan_arena *arena);
/* Makes both at least this large; waits for running programs when it must move them. */
ms_status ms_vulkan_arena_reserve(ms_vulkan_arena *arena, size_t arena_bytes, size_t workspace_bytes);
VkDeviceAddress ms_vulkan_arena_address(const ms_vulkan_arena *arena, int64_t offset_bytes);

#endif
