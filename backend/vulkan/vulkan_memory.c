/* Device memory in few allocations: blocks, each one VkDeviceMemory with one VkBuffer over it, handed out in ranges by
   first fit.  A store announces its variables, which then share blocks made for them; what comes unannounced gets a
   block of its own size, 1 MiB at least. */
#include "backend/vulkan/vulkan_device.h"

#include <stdlib.h>
#include <string.h>

enum { RANGE_ALIGNMENT = 256, SMALLEST_BLOCK = 1 << 20, LARGEST_BLOCK = 512 << 20 };

typedef struct free_range {
    VkDeviceSize offset, size;
} free_range;

struct ms_vulkan_block {
    ms_vulkan_block *next;
    VkDeviceMemory memory;
    VkBuffer buffer;
    VkDeviceAddress address;
    VkDeviceSize size;
    void *mapped;            /* host memory only, which is never shared by ranges */
    free_range *free_ranges; /* ascending, never adjacent */
    int n_free, capacity;
};

static void destroy_block(ms_backend_device *device, ms_vulkan_block *block) {
    for (ms_vulkan_block **link = &device->memory.blocks; *link; link = &(*link)->next)
        if (*link == block) {
            *link = block->next;
            device->memory.block_bytes -= block->size;
            break;
        }
    device->call.vkDestroyBuffer(device->handle, block->buffer, NULL);
    device->call.vkFreeMemory(device->handle, block->memory, NULL);
    free(block->free_ranges);
    free(block);
}

/* Free bytes of the largest device-local heap as the driver sees it, or what is left of the heap's size. */
static unsigned long long free_bytes(const ms_backend_device *device) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    if (device->gpu.memory_budget) properties.pNext = &budget;
    vkGetPhysicalDeviceMemoryProperties2(device->gpu.handle, &properties);
    unsigned long long best = 0;
    for (uint32_t i = 0; i < properties.memoryProperties.memoryHeapCount; i++) {
        VkMemoryHeap heap = properties.memoryProperties.memoryHeaps[i];
        if (!(heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
        unsigned long long limit = device->gpu.memory_budget ? budget.heapBudget[i] : heap.size;
        unsigned long long used = device->gpu.memory_budget ? budget.heapUsage[i] : device->memory.block_bytes;
        if (limit > used && limit - used > best) best = limit - used;
    }
    return best;
}

static ms_status out_of_memory(const ms_backend_device *device, VkDeviceSize size) {
    return MS_FAIL(MS_OUT_OF_MEMORY,
                   "vulkan:%d (%s): no memory for %llu bytes; %zu bytes are held, about %llu are free, one allocation "
                   "may have at most %llu",
                   device->index, device->gpu.properties.deviceName, (unsigned long long)size,
                   device->memory.block_bytes, free_bytes(device), (unsigned long long)device->gpu.largest_allocation);
}

/* The memory type to use among those that a buffer accepts, or -1. */
static int find_type(const ms_backend_device *device, uint32_t accepted, ms_vulkan_memory_kind kind) {
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    /* What needs a feature, or is for other things than buffers. */
    const VkMemoryPropertyFlags unwanted = VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
                                           VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD |
                                           VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD;
    const VkMemoryPropertyFlags wishes[3][2] = {{local, 0}, {host, host}, {cached, host}};
    for (int wish = 0; wish < 2; wish++)
        for (uint32_t i = 0; i < device->memory_types.memoryTypeCount; i++) {
            VkMemoryPropertyFlags flags = device->memory_types.memoryTypes[i].propertyFlags;
            bool fits = (accepted >> i & 1u) && !(flags & unwanted);
            if (fits && (flags & wishes[kind][wish]) == wishes[kind][wish]) return (int)i;
        }
    return -1;
}

static ms_status bind_block(ms_backend_device *device, ms_vulkan_memory_kind kind, ms_vulkan_block *block) {
    VkBufferCreateInfo buffer = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                 .size = block->size,
                                 .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                          VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    /* Two families use a buffer at the same time, one to compute with the weights and one to copy them. */
    const uint32_t families[2] = {device->gpu.queue_family, device->gpu.copy_family};
    if (device->gpu.has_copy_queue && families[0] != families[1]) {
        buffer.sharingMode = VK_SHARING_MODE_CONCURRENT;
        buffer.queueFamilyIndexCount = 2;
        buffer.pQueueFamilyIndices = families;
    }
    MS_VULKAN_TRY(device->call.vkCreateBuffer(device->handle, &buffer, NULL, &block->buffer), "creating a buffer");
    VkMemoryRequirements needs;
    device->call.vkGetBufferMemoryRequirements(device->handle, block->buffer, &needs);
    int type = find_type(device, needs.memoryTypeBits, kind);
    if (type < 0) return MS_FAIL(MS_UNSUPPORTED, "vulkan:%d: no memory type for buffers", device->index);
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = &flags,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = (uint32_t)type};
    VkResult result = needs.size > device->gpu.largest_allocation
                          ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                          : device->call.vkAllocateMemory(device->handle, &info, NULL, &block->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
        return out_of_memory(device, needs.size);
    MS_VULKAN_TRY(result, "allocating memory");
    MS_VULKAN_TRY(device->call.vkBindBufferMemory(device->handle, block->buffer, block->memory, 0), "binding memory");
    VkBufferDeviceAddressInfo address = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                         .buffer = block->buffer};
    block->address = device->call.vkGetBufferDeviceAddress(device->handle, &address);
    /* What shaders are promised; Vulkan itself promises less, drivers give pages. */
    if (block->address % RANGE_ALIGNMENT != 0)
        return MS_FAIL(MS_UNSUPPORTED, "vulkan:%d: a buffer at address %llx, a multiple of %d is needed", device->index,
                       (unsigned long long)block->address, RANGE_ALIGNMENT);
    if (kind != MS_VULKAN_DEVICE_LOCAL)
        MS_VULKAN_TRY(device->call.vkMapMemory(device->handle, block->memory, 0, VK_WHOLE_SIZE, 0, &block->mapped),
                      "mapping memory");
    return MS_OK;
}

static ms_status create_block(ms_backend_device *device, ms_vulkan_memory_kind kind, VkDeviceSize size,
                              ms_vulkan_block **out) {
    *out = NULL;
    ms_vulkan_block *block = calloc(1, sizeof *block);
    if (!block) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    block->size = size;
    block->capacity = 16;
    block->free_ranges = calloc((size_t)block->capacity, sizeof *block->free_ranges);
    ms_status status =
        block->free_ranges ? bind_block(device, kind, block) : MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    block->next = device->memory.blocks;
    device->memory.blocks = block;
    device->memory.block_bytes += size;
    if (status != MS_OK) {
        destroy_block(device, block);
        return status;
    }
    block->free_ranges[0] = (free_range){0, size};
    block->n_free = 1;
    *out = block;
    return MS_OK;
}

/* Takes `size` bytes from the first free range that has them. */
static bool take(ms_vulkan_block *block, VkDeviceSize size, ms_vulkan_range *out) {
    for (int i = 0; i < block->n_free; i++) {
        free_range *range = &block->free_ranges[i];
        if (range->size < size) continue;
        *out = (ms_vulkan_range){.block = block,
                                 .buffer = block->buffer,
                                 .offset = range->offset,
                                 .size = size,
                                 .address = block->address + range->offset,
                                 .mapped = block->mapped ? (char *)block->mapped + range->offset : NULL};
        range->offset += size;
        range->size -= size;
        if (range->size == 0) {
            block->n_free--;
            memmove(range, range + 1, (size_t)(block->n_free - i) * sizeof *range);
        }
        return true;
    }
    return false;
}

static VkDeviceSize rounded(VkDeviceSize size) {
    return size == 0 ? RANGE_ALIGNMENT : (size + RANGE_ALIGNMENT - 1) / RANGE_ALIGNMENT * RANGE_ALIGNMENT;
}

void ms_vulkan_expect(ms_backend_device *device, const size_t *sizes, int n_sizes) {
    device->memory.expected = 0;
    for (int i = 0; i < n_sizes; i++) device->memory.expected += rounded(sizes[i]);
}

/* For a range of `size` bytes and what was announced to come with it. */
static VkDeviceSize new_block_size(ms_backend_device *device, VkDeviceSize size) {
    VkDeviceSize piece = ms_vulkan_piece_bytes(device), most = LARGEST_BLOCK < piece ? LARGEST_BLOCK : piece;
    VkDeviceSize wanted = device->memory.expected < most ? device->memory.expected : most;
    if (wanted < SMALLEST_BLOCK) wanted = SMALLEST_BLOCK;
    if (wanted < size) wanted = size;
    device->memory.expected -= wanted < device->memory.expected ? wanted : device->memory.expected;
    return wanted;
}

ms_status ms_vulkan_allocate(ms_backend_device *device, ms_vulkan_memory_kind kind, VkDeviceSize size_bytes,
                             ms_vulkan_range *out) {
    memset(out, 0, sizeof *out);
    VkDeviceSize size = rounded(size_bytes), block_size = size;
    if (size < size_bytes || size > device->gpu.largest_allocation) return out_of_memory(device, size_bytes);
    if (kind == MS_VULKAN_DEVICE_LOCAL) {
        for (ms_vulkan_block *block = device->memory.blocks; block; block = block->next)
            if (!block->mapped && take(block, size, out)) return MS_OK;
        block_size = new_block_size(device, size);
    }
    ms_vulkan_block *block;
    MS_TRY(create_block(device, kind, block_size, &block));
    take(block, size, out);
    return MS_OK;
}

/* Puts a range back, joined with its neighbours.  False when there is no host memory to remember it: it stays taken. */
static bool give_back(ms_vulkan_block *block, VkDeviceSize offset, VkDeviceSize size) {
    int i = 0;
    while (i < block->n_free && block->free_ranges[i].offset < offset) i++;
    free_range *ranges = block->free_ranges;
    bool joins_before = i > 0 && ranges[i - 1].offset + ranges[i - 1].size == offset;
    bool joins_after = i < block->n_free && offset + size == ranges[i].offset;
    if (joins_before) {
        ranges[i - 1].size += size + (joins_after ? ranges[i].size : 0);
        if (!joins_after) return true;
        block->n_free--;
        memmove(&ranges[i], &ranges[i + 1], (size_t)(block->n_free - i) * sizeof *ranges);
        return true;
    }
    if (joins_after) {
        ranges[i].offset = offset;
        ranges[i].size += size;
        return true;
    }
    if (block->n_free == block->capacity) {
        ranges = realloc(ranges, (size_t)block->capacity * 2 * sizeof *ranges);
        if (!ranges) return false;
        block->free_ranges = ranges;
        block->capacity *= 2;
    }
    memmove(&ranges[i + 1], &ranges[i], (size_t)(block->n_free - i) * sizeof *ranges);
    ranges[i] = (free_range){offset, size};
    block->n_free++;
    return true;
}

static bool is_empty(const ms_vulkan_block *block) {
    return block->n_free == 1 && block->free_ranges[0].size == block->size;
}

void ms_vulkan_release(ms_backend_device *device, ms_vulkan_range *range) {
    if (!range->block) return;
    if (give_back(range->block, range->offset, range->size) && is_empty(range->block))
        destroy_block(device, range->block);
    memset(range, 0, sizeof *range);
}

void ms_vulkan_memory_finish(ms_backend_device *device) {
    while (device->memory.blocks) destroy_block(device, device->memory.blocks);
}
