/* The Vulkan instance: loader opened at run time by volk, validation layer on request. */
#define VOLK_IMPLEMENTATION
#include "backend/vulkan/vulkan_instance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"
#include "platform/environment.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ms_vulkan_instance instance; /* under mutex while n_users changes */
static int n_users;

static ms_status create_instance(void) {
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    instance.validation = ms_environment_is_on(MS_ENVIRONMENT_VULKAN_VALIDATION);
    VkDebugUtilsMessengerCreateInfoEXT messenger = ms_vulkan_messenger_info();
    /* Pinned: some drivers change results with the version that is asked for. */
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "muonscope", .apiVersion = VK_API_VERSION_1_2};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    if (instance.validation) {
        info.pNext = &messenger;
        info.enabledLayerCount = info.enabledExtensionCount = 1;
        info.ppEnabledLayerNames = &layer;
        info.ppEnabledExtensionNames = &extension;
    }
    VkResult result = vkCreateInstance(&info, NULL, &instance.handle);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return MS_FAIL(MS_UNSUPPORTED, "no Vulkan driver is installed (the loader found none that works)");
    MS_VULKAN_TRY(result, instance.validation ? "creating an instance with VK_LAYER_KHRONOS_validation"
                                              : "creating an instance");
    volkLoadInstanceOnly(instance.handle);
    if (instance.validation)
        MS_VULKAN_TRY(vkCreateDebugUtilsMessengerEXT(instance.handle, &messenger, NULL, &instance.messenger),
                      "creating a debug messenger");
    return MS_OK;
}

static ms_status list_gpus(void) {
    VkPhysicalDevice handles[MS_VULKAN_MAX_GPUS];
    uint32_t n = MS_VULKAN_MAX_GPUS;
    VkResult result = vkEnumeratePhysicalDevices(instance.handle, &n, handles);
    if (result == VK_INCOMPLETE) result = VK_SUCCESS;
    if (result == VK_ERROR_INITIALIZATION_FAILED)
        n = 0;
    else
        MS_VULKAN_TRY(result, "listing devices");
    if (n == 0) return MS_FAIL(MS_UNSUPPORTED, "no Vulkan driver offers a device");
    instance.n_gpus = (int)n;
    for (uint32_t i = 0; i < n; i++) ms_vulkan_gpu_judge(handles[i], &instance.gpus[i]);
    return MS_OK;
}

static void destroy_instance(void) {
    if (instance.messenger) vkDestroyDebugUtilsMessengerEXT(instance.handle, instance.messenger, NULL);
    if (instance.handle) vkDestroyInstance(instance.handle, NULL);
    memset(&instance, 0, sizeof instance);
}

static ms_status first_user(void) {
    if (volkInitialize() != VK_SUCCESS)
        return MS_FAIL(MS_UNSUPPORTED, "no Vulkan loader (libvulkan.so.1) on this machine");
    ms_status status = create_instance();
    if (status == MS_OK) status = list_gpus();
    if (status != MS_OK) destroy_instance();
    return status;
}

ms_status ms_vulkan_instance_acquire(const ms_vulkan_instance **out) {
    *out = NULL;
    pthread_mutex_lock(&mutex);
    ms_status status = n_users == 0 ? first_user() : MS_OK;
    if (status == MS_OK) {
        n_users++;
        *out = &instance;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

/* Objects that were never destroyed are told of now, when there is no call left that could fail. */
void ms_vulkan_instance_release(void) {
    pthread_mutex_lock(&mutex);
    if (--n_users == 0) {
        destroy_instance();
        ms_vulkan_print_validation();
    }
    pthread_mutex_unlock(&mutex);
}
