#include "backend/vulkan/vulkan_validation.h"

#include <pthread.h>
#include <stdio.h>

#include "platform/output.h"

/* The first validation message that nobody has asked for yet. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char message[900];
static _Thread_local const char *activity = "";

void ms_vulkan_set_activity(const char *text) { activity = text; }

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT type,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)type, (void)user;
    pthread_mutex_lock(&mutex);
    if (!message[0]) snprintf(message, sizeof message, "%s%s%s", activity, *activity ? ": " : "", data->pMessage);
    pthread_mutex_unlock(&mutex);
    return VK_FALSE;
}

ms_status ms_vulkan_check_validation(void) {
    pthread_mutex_lock(&mutex);
    ms_status status = MS_OK;
    if (message[0]) status = MS_FAIL(MS_INTERNAL, "vulkan validation: %s", message);
    message[0] = '\0';
    pthread_mutex_unlock(&mutex);
    return status;
}

VkDebugUtilsMessengerCreateInfoEXT ms_vulkan_messenger_info(void) {
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
    };
}

void ms_vulkan_print_validation(void) {
    pthread_mutex_lock(&mutex);
    if (message[0]) ms_print_line(stderr, "muonscope: vulkan validation: %s", message);
    message[0] = '\0';
    pthread_mutex_unlock(&mutex);
}
