/* Messages of the validation layer, of which the first is kept until somebody asks.  Thread-safe. */
#ifndef MS_BACKEND_VULKAN_VULKAN_VALIDATION_H
#define MS_BACKEND_VULKAN_VULKAN_VALIDATION_H

#include <volk.h>

#include "platform/status.h"

/* For the instance's messenger: each message comes here. */
VkDebugUtilsMessengerCreateInfoEXT ms_vulkan_messenger_info(void);
/* What the calling thread is about to do, for validation messages: an op and a node.  Borrowed until set again. */
void ms_vulkan_set_activity(const char *activity);
/* MS_INTERNAL with the first validation message since the last call, if there was one. */
ms_status ms_vulkan_check_validation(void);
/* Prints it to stderr instead, when no call is left that could fail; leaves this thread's status message alone. */
void ms_vulkan_print_validation(void);

#endif
