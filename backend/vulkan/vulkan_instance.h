/* The Vulkan instance: one per process, counted. */
#ifndef MS_BACKEND_VULKAN_VULKAN_INSTANCE_H
#define MS_BACKEND_VULKAN_VULKAN_INSTANCE_H

#include "backend/vulkan/vulkan_gpu.h"
#include "platform/status.h"

enum { MS_VULKAN_MAX_GPUS = 32 };

typedef struct ms_vulkan_instance {
    VkInstance handle;
    bool validation; /* MUONSCOPE_VULKAN_VALIDATION is set: the layer is on, and a message is an error */
    VkDebugUtilsMessengerEXT messenger;
    int n_gpus;
    ms_vulkan_gpu gpus[MS_VULKAN_MAX_GPUS];
} ms_vulkan_instance;

/* Loads the loader and creates the instance, or counts one more user.  MS_UNSUPPORTED says why Vulkan is absent.
   Thread-safe. */
ms_status ms_vulkan_instance_acquire(const ms_vulkan_instance **out);
void ms_vulkan_instance_release(void);

#endif
