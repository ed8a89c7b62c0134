/* A physical device: what it offers, and why it cannot train. */
#ifndef MS_BACKEND_VULKAN_VULKAN_GPU_H
#define MS_BACKEND_VULKAN_VULKAN_GPU_H

#include <volk.h>

#include "backend/vulkan/vulkan_spirv.h"

typedef struct ms_vulkan_gpu {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceDriverProperties driver;
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t subgroup_size;
    bool subgroup_exchange; /* shuffles and broadcasts in compute shaders */
    uint32_t queue_family;  /* one with compute */
    uint32_t timestamp_bits;
    bool has_copy_queue; /* a second queue, for downloads: queue copy_queue of family copy_family */
    uint32_t copy_family, copy_queue;
    bool storage16; /* 16-bit storage and 16-bit integers */
    bool memory_budget;
    ms_vulkan_float_modes float_modes; /* what `exact` shaders can ask for */
    VkDeviceSize largest_allocation;   /* of memory and of a buffer */
    int64_t memory_bytes;              /* of the largest device-local heap */
    char reason[200];                  /* why it cannot train; empty: it can */
} ms_vulkan_gpu;

/* Describes and judges a device.  The instance's functions are loaded. */
void ms_vulkan_gpu_judge(VkPhysicalDevice handle, ms_vulkan_gpu *out);

#endif
