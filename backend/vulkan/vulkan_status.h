/* Results of Vulkan as statuses. */
#ifndef MS_BACKEND_VULKAN_VULKAN_STATUS_H
#define MS_BACKEND_VULKAN_VULKAN_STATUS_H

#include <volk.h>

#include "platform/status.h"

/* The status of a VkResult, with its name: "vulkan: <what>: VK_ERROR_..."; MS_OK for VK_SUCCESS. */
ms_status ms_vulkan_status(VkResult result, const char *what);
#define MS_VULKAN_TRY(call, what) MS_TRY(ms_vulkan_status((call), (what)))

#endif
