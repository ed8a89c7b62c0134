/* Device memory in few allocations: memory blocks, each one VkDeviceMemory with one VkBuffer over it, handed out in
   ranges by first fit.  A store announces its variables, which then share blocks made for them; what comes unannounced
   gets a block of its own size, 1 MiB at least. */
#include "backend/vulkan/vulkan_memory.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_status.h"

enum { RANGE_ALIGNMENT = 256, SMALLEST_BLOCK = 1 << 20, LARGEST_BLOCK = 512 << 20 };

typedef struct free_range {
    VkDeviceSize offset, size;
} free_range;

struct ms_vulkan_memory_block {
    ms_vulkan_memory_block *next;
    VkDeviceMemory memory;
    VkBuffer buffer;
    VkDeviceAddress address;
    VkDeviceSize size;
    void *mapped;            /* host memory only, which is never shared by ranges */
    free_range *free_ranges; /* ascending, never adjacent */
    int n_free, capacity;
};

static void destroy_block(ms_vulkan_memory *memory, ms_vulkan_memory_block *block) {
    const ms_vulkan_context *context = memory->context;
    for (ms_vulkan_memory_block **link = &memory->blocks; *link; link = &(*link)->next)
        if (*link == block) {
            *link = block->next;
            memory->block_bytes -= block->size;
            break;
        }
    context->call.vkDestroyBuffer(context->handle, block->buffer, NULL);
    context->call.vkFreeMemory(context->handle, block->memory, NULL);
    free(block->free_ranges);
    free(block);
}

/* Free bytes of the largest device-local heap as the driver sees it, or what is left of the heap's size. */
static unsigned long long free_bytes(const ms_vulkan_memory *memory) {
    const ms_vulkan_context *context = memory->context;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    if (context->gpu->memory_budget) properties.pNext = &budget;
    vkGetPhysicalDeviceMemoryProperties2(context->gpu->handle, &properties);
    unsigned long long best = 0;
    for (uint32_t i = 0; i < properties.memoryProperties.memoryHeapCount; i++) {
        VkMemoryHeap heap = properties.memoryProperties.memoryHeaps[i];
        if (!(heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
        unsigned long long limit = context->gpu->memory_budget ? budget.heapBudget[i] : heap.size;
        unsigned long long used = context->gpu->memory_budget ? budget.heapUsage[i] : memory->block_bytes;
        if (limit > used && limit - used > best) best = limit - used;
    }
    return best;
}

static ms_status out_of_memory(const ms_vulkan_memory *memory, VkDeviceSize size) {
    const ms_vulkan_context *context = memory->context;
    return MS_FAIL(MS_OUT_OF_MEMORY,
                   "vulkan:%d (%s): no memory for %llu bytes; %zu bytes are held, about %llu are free, one allocation "
                   "may have at most %llu",
                   context->index, context->gpu->properties.deviceName, (unsigned long long)size, memory->block_bytes,
                   free_bytes(memory), (unsigned long long)context->gpu->largest_allocation);
}

/* Whole pages of any size: a driver rounds an allocation up, and must not round it above its own limit. */
VkDeviceSize ms_vulkan_piece_bytes(const ms_vulkan_memory *memory) {
    const VkDeviceSize page = 2 << 20;
    return memory->context->gpu->largest_allocation / page * page;
}

/* The memory type to use among those that a buffer accepts, or -1. */
static int find_type(const ms_vulkan_memory *memory, uint32_t accepted, ms_vulkan_memory_kind kind) {
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = host | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    /* What needs a feature, or is for other things than buffers. */
    const VkMemoryPropertyFlags unwanted = VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
                                           VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD |
                                           VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD;
    const VkMemoryPropertyFlags wishes[3][2] = {{local, 0}, {host, host}, {cached, host}};
    for (int wish = 0; wish < 2; wish++)
        for (uint32_t i = 0; i < memory->types.memoryTypeCount; i++) {
            VkMemoryPropertyFlags flags = memory->types.memoryTypes[i].propertyFlags;
            bool fits = (accepted >> i & 1u) && !(flags & unwanted);
            if (fits && (flags & wishes[kind][wish]) == wishes[kind][wish]) return (int)i;
        }
    return -1;
}

static ms_status bind_block(ms_vulkan_memory *memory, ms_vulkan_memory_kind kind, ms_vulkan_memory_block *block) {
    const ms_vulkan_context *context = memory->context;
    VkBufferCreateInfo buffer = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                 .size = block->size,
                                 .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                          VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    /* Two families use a buffer at the same time, one to compute with the weights and one to copy them. */
    const uint32_t families[2] = {context->gpu->queue_family, context->gpu->copy_family};
    if (context->gpu->has_copy_queue && families[0] != families[1]) {
        buffer.sharingMode = VK_SHARING_MODE_CONCURRENT;
        buffer.queueFamilyIndexCount = 2;
        buffer.pQueueFamilyIndices = families;
    }
    MS_VULKAN_TRY(context->call.vkCreateBuffer(context->handle, &buffer, NULL, &block->buffer), "creating a buffer");
    VkMemoryRequirements needs;
    context->call.vkGetBufferMemoryRequirements(context->handle, block->buffer, &needs);
    int type = find_type(memory, needs.memoryTypeBits, kind);
    if (type < 0) return MS_FAIL(MS_UNSUPPORTED, "vulkan:%d: no memory type for buffers", context->index);
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = &flags,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = (uint32_t)type};
    VkResult result = needs.size > context->gpu->largest_allocation
                          ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                          : context->call.vkAllocateMemory(context->handle, &info, NULL, &block->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
        return out_of_memory(memory, needs.size);
    MS_VULKAN_TRY(result, "allocating memory");
    MS_VULKAN_TRY(context->call.vkBindBufferMemory(context->handle, block->buffer, block->memory, 0), "binding memory");
    VkBufferDeviceAddressInfo address = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                         .buffer = block->buffer};
    block->address = context->call.vkGetBufferDeviceAddress(context->handle, &address);
    /* What shaders are promised; Vulkan itself promises less, drivers give pages. */
    if (block->address % RANGE_ALIGNMENT != 0)
        return MS_FAIL(MS_UNSUPPORTED, "vulkan:%d: a buffer at address %llx, a multiple of %d is needed",
                       context->index, (unsigned long long)block->address, RANGE_ALIGNMENT);
    if (kind != MS_VULKAN_DEVICE_LOCAL)
        MS_VULKAN_TRY(context->call.vkMapMemory(context->handle, block->memory, 0, VK_WHOLE_SIZE, 0, &block->mapped),
                      "mapping memory");
    return MS_OK;
}

static ms_status create_block(ms_vulkan_memory *memory, ms_vulkan_memory_kind kind, VkDeviceSize size,
                              ms_vulkan_memory_block **out) {
    *out = NULL;
    ms_vulkan_memory_block *block = calloc(1, sizeof *block);
    if (!block) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    block->size = size;
    block->capacity = 16;
    block->free_ranges = calloc((size_t)block->capacity, sizeof *block->free_ranges);
    ms_status status =
        block->free_ranges ? bind_block(memory, kind, block) : MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    block->next = memory->blocks;
    memory->blocks = block;
    memory->block_bytes += size;
    if (status != MS_OK) {
        destroy_block(memory, block);
        return status;
    }
    block->free_ranges[0] = (free_range){0, size};
    block->n_free = 1;
    *out = block;
    return MS_OK;
}

/* Takes `size` bytes from the first free range that has them. */
static bool take(ms_vulkan_memory_block *block, VkDeviceSize size, ms_vulkan_range *out) {
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

void ms_vulkan_expect(ms_vulkan_memory *memory, const size_t *sizes, int n_sizes) {
    memory->expected = 0;
    for (int i = 0; i < n_sizes; i++) memory->expected += rounded(sizes[i]);
}

/* For a range of `size` bytes and what was announced to come with it. */
static VkDeviceSize new_block_size(ms_vulkan_memory *memory, VkDeviceSize size) {
    VkDeviceSize piece = ms_vulkan_piece_bytes(memory), most = LARGEST_BLOCK < piece ? LARGEST_BLOCK : piece;
    VkDeviceSize wanted = memory->expected < most ? memory->expected : most;
    if (wanted < SMALLEST_BLOCK) wanted = SMALLEST_BLOCK;
    if (wanted < size) wanted = size;
    memory->expected -= wanted < memory->expected ? wanted : memory->expected;
    return wanted;
}

ms_status ms_vulkan_allocate(ms_vulkan_memory *memory, ms_vulkan_memory_kind kind, VkDeviceSize size_bytes,
                             ms_vulkan_range *out) {
    memset(out, 0, sizeof *out);
    VkDeviceSize size = rounded(size_bytes), block_size = size;
    if (size < size_bytes || size > memory->context->gpu->largest_allocation) return out_of_memory(memory, size_bytes);
    if (kind == MS_VULKAN_DEVICE_LOCAL) {
        for (ms_vulkan_memory_block *block = memory->blocks; block; block = block->next)
            if (!block->mapped && take(block, size, out)) return MS_OK;
        block_size = new_block_size(memory, size);
    }
    ms_vulkan_memory_block *block;
    MS_TRY(create_block(memory, kind, block_size, &block));
    take(block, size, out);
    return MS_OK;
}

/* Puts a range back, joined with its neighbours.  False when there is no host memory to remember it: it stays taken. */
static bool give_back(ms_vulkan_memory_block *block, VkDeviceSize offset, VkDeviceSize size) {
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

static bool is_empty(const ms_vulkan_memory_block *block) {
    return block->n_free == 1 && block->free_ranges[0].size == block->size;
}

void ms_vulkan_release(ms_vulkan_memory *memory, ms_vulkan_range *range) {
    if (!range->block) return;
    if (give_back(range->block, range->offset, range->size) && is_empty(range->block))
        destroy_block(memory, range->block);
    memset(range, 0, sizeof *range);
}

void ms_vulkan_memory_init(const ms_vulkan_context *context, ms_vulkan_memory *out) {
    *out = (ms_vulkan_memory){.context = context};
    vkGetPhysicalDeviceMemoryProperties(context->gpu->handle, &out->types);
}

void ms_vulkan_memory_finish(ms_vulkan_memory *memory) {
    while (memory->blocks) destroy_block(memory, memory->blocks);
}
