/* Memory of a device, and of the host where the device reaches it. */
#ifndef MS_BACKEND_VULKAN_VULKAN_MEMORY_H
#define MS_BACKEND_VULKAN_VULKAN_MEMORY_H

#include "backend/vulkan/vulkan_context.h"
#include "platform/status.h"

typedef struct ms_vulkan_memory_block ms_vulkan_memory_block;

/* Device memory handed out: a part of a memory block. */
typedef struct ms_vulkan_range {
    ms_vulkan_memory_block *block;
    VkBuffer buffer;         /* the block's */
    VkDeviceSize offset;     /* in the buffer, a multiple of 256 */
    VkDeviceSize size;       /* a multiple of 256 */
    VkDeviceAddress address; /* of the first byte */
    void *mapped;            /* host address, NULL for device-local memory */
    uint64_t written;        /* work lane's value behind the last write that was submitted; 0: none */
} ms_vulkan_range;

typedef enum ms_vulkan_memory_kind {
    MS_VULKAN_DEVICE_LOCAL,
    MS_VULKAN_HOST_WRITES, /* visible and coherent: uploads */
    MS_VULKAN_HOST_READS   /* the same, cached where there is such memory: downloads */
} ms_vulkan_memory_kind;

typedef struct ms_vulkan_memory {
    const ms_vulkan_context *context; /* borrowed */
    VkPhysicalDeviceMemoryProperties types;
    ms_vulkan_memory_block *blocks; /* list */
    size_t block_bytes;             /* of all blocks together: what the device has really given */
    VkDeviceSize expected;          /* bytes of allocations announced and not yet covered by a block */
} ms_vulkan_memory;

void ms_vulkan_memory_init(const ms_vulkan_context *context, ms_vulkan_memory *out);
/* Frees every memory block. */
void ms_vulkan_memory_finish(ms_vulkan_memory *memory);
/* What one variable, one tensor, one op's scratch or one piece of the arena can have at most: a multiple of 256. */
VkDeviceSize ms_vulkan_piece_bytes(const ms_vulkan_memory *memory);
/* Device-local ranges share memory blocks; host ranges get one of their own.  MS_OUT_OF_MEMORY names the bytes asked
   for, held, and free where the driver says.  Contents are undefined. */
ms_status ms_vulkan_allocate(ms_vulkan_memory *memory, ms_vulkan_memory_kind kind, VkDeviceSize size_bytes,
                             ms_vulkan_range *out);
/* Announces device-local ranges to come, so that they share blocks. */
void ms_vulkan_expect(ms_vulkan_memory *memory, const size_t *sizes, int n_sizes);
/* Does nothing for a zeroed range; zeroes it.  The device must not be using it. */
void ms_vulkan_release(ms_vulkan_memory *memory, ms_vulkan_range *range);

#endif
