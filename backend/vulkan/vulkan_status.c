#include "backend/vulkan/vulkan_status.h"

static const char *result_name(VkResult result) {
    switch (result) {
#define NAME(code)                                                                                                     \
    case code:                                                                                                         \
        return #code;
        NAME(VK_SUCCESS)
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_INCOMPLETE)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_MEMORY_MAP_FAILED)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_TOO_MANY_OBJECTS)
        NAME(VK_ERROR_FRAGMENTED_POOL)
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
        NAME(VK_ERROR_UNKNOWN)
#undef NAME
    default:
        return "another error";
    }
}

ms_status ms_vulkan_status(VkResult result, const char *what) {
    ms_status status = MS_INTERNAL;
    switch (result) {
    case VK_SUCCESS:
        return MS_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        status = MS_OUT_OF_MEMORY;
        break;
    case VK_ERROR_DEVICE_LOST:
        status = MS_DEVICE_LOST;
        break;
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_INITIALIZATION_FAILED:
        status = MS_UNSUPPORTED;
        break;
    default:
        break;
    }
    return MS_FAIL(status, "vulkan: %s: %s (%d)", what, result_name(result), (int)result);
}
