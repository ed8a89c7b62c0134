/* Announced downloads, for devices with one queue. */
#ifndef MS_BACKEND_VULKAN_VULKAN_ANNOUNCE_H
#define MS_BACKEND_VULKAN_VULKAN_ANNOUNCE_H

#include "backend/backend_impl.h"
#include "backend/vulkan/vulkan_queue.h"

/* Bytes that were announced, and where the device copies them. */
typedef struct ms_vulkan_announced {
    const ms_vulkan_range *range; /* compared, never followed */
    size_t offset, size;          /* bytes of the range */
    const char *copy;             /* host address */
} ms_vulkan_announced;

typedef struct ms_vulkan_announcement {
    ms_vulkan_memory *memory; /* borrowed */
    ms_vulkan_lanes *lanes;   /* borrowed */
    VkCommandBuffer commands;
    uint64_t value; /* work lane's value after which the copies are there */
    ms_vulkan_announced *pieces;
    int n_pieces, piece_capacity;
    ms_vulkan_range *chunks; /* host memory: what one allocation may have, and a last smaller one */
    int n_chunks;
} ms_vulkan_announcement;

void ms_vulkan_announce_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_announcement *out);
void ms_vulkan_announce_finish(ms_vulkan_announcement *announcement);
/* Whether this device has one queue only, so that announcing makes copies. */
bool ms_vulkan_copies_announced(const ms_vulkan_announcement *announcement);
/* Copies the parts on the device, behind everything submitted before, and returns at once.  Replaces what was announced
   before.  Does nothing on a device with a lane for copies. */
ms_status ms_vulkan_announce(ms_vulkan_announcement *announcement, const ms_backend_part *parts, int n_parts);
/* Gives parts out of their copies when all of them were announced and none was written since; *out_served tells. */
ms_status ms_vulkan_take_announced(const ms_vulkan_announcement *announcement, const ms_backend_part *parts,
                                   int n_parts, void *const *out_data, bool *out_served);
/* Nothing counts as announced any more; the memory is kept. */
void ms_vulkan_forget_announced(ms_vulkan_announcement *announcement);

#endif
