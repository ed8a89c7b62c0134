/* What the objects of a device know of it: which one it is, its handle, its functions. */
#ifndef MS_BACKEND_VULKAN_VULKAN_CONTEXT_H
#define MS_BACKEND_VULKAN_VULKAN_CONTEXT_H

#include "backend/vulkan/vulkan_gpu.h"

typedef struct ms_vulkan_context {
    const ms_vulkan_gpu *gpu; /* borrowed from the instance */
    int index;                /* of "vulkan:<index>", for messages */
    VkDevice handle;
    struct VolkDeviceTable call;
} ms_vulkan_context;

#endif
