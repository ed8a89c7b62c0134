/* Uploads and downloads through rings of staging slots. */
#ifndef MS_BACKEND_VULKAN_VULKAN_TRANSFER_H
#define MS_BACKEND_VULKAN_VULKAN_TRANSFER_H

#include "backend/backend_impl.h"
#include "backend/vulkan/vulkan_queue.h"

enum { MS_VULKAN_SLOTS = 8, MS_VULKAN_SLOT_BYTES = 2 << 20 };

typedef struct ms_vulkan_slot {
    VkCommandBuffer commands;
    uint64_t busy_until; /* its lane's value after which the slot is free */
    ms_vulkan_range staging;
} ms_vulkan_slot;

/* Slots, used one after the other. */
typedef struct ms_vulkan_ring {
    ms_vulkan_slot slots[MS_VULKAN_SLOTS];
    int next;
    ms_vulkan_memory_kind kind; /* of the staging memory */
} ms_vulkan_ring;

typedef struct ms_vulkan_transfer {
    const ms_vulkan_context *context; /* borrowed */
    ms_vulkan_memory *memory;         /* borrowed */
    ms_vulkan_lanes *lanes;           /* borrowed */
    ms_vulkan_ring uploads;           /* on the work lane, in order with programs */
    ms_vulkan_ring downloads;         /* on the lane of copies where there is one */
} ms_vulkan_transfer;

ms_status ms_vulkan_transfer_init(ms_vulkan_memory *memory, ms_vulkan_lanes *lanes, ms_vulkan_transfer *out);
void ms_vulkan_transfer_finish(ms_vulkan_transfer *transfer);
/* Queued behind everything submitted before; does not wait unless every slot is in use. */
ms_status ms_vulkan_upload(ms_vulkan_transfer *transfer, ms_vulkan_range *range, size_t offset_bytes, const void *data,
                           size_t size_bytes);
/* The buffers of the parts are ms_vulkan_range.  With a lane for copies: waits for the last write to them, and what was
   submitted since goes on meanwhile.  Else waits for everything submitted before; see ms_vulkan_take_announced. */
ms_status ms_vulkan_download(ms_vulkan_transfer *transfer, const ms_backend_part *parts, int n_parts,
                             void *const *out_data);
ms_status ms_vulkan_zero(ms_vulkan_transfer *transfer, ms_vulkan_range *range);

#endif
