/* The Vulkan instance: loader opened at run time by volk, validation layer on request, physical devices judged. */
#define VOLK_IMPLEMENTATION
#include "backend/vulkan/vulkan_device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ms_vulkan_instance instance; /* under mutex while n_users changes */
static int n_users;

/* The first validation message that nobody has asked for yet. */
static pthread_mutex_t message_mutex = PTHREAD_MUTEX_INITIALIZER;
static char message[900];
static _Thread_local const char *activity = "";

void ms_vulkan_set_activity(const char *text) { activity = text; }

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

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT type,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)type, (void)user;
    pthread_mutex_lock(&message_mutex);
    if (!message[0]) snprintf(message, sizeof message, "%s%s%s", activity, *activity ? ": " : "", data->pMessage);
    pthread_mutex_unlock(&message_mutex);
    return VK_FALSE;
}

ms_status ms_vulkan_check_validation(void) {
    pthread_mutex_lock(&message_mutex);
    ms_status status = MS_OK;
    if (message[0]) status = MS_FAIL(MS_INTERNAL, "vulkan validation: %s", message);
    message[0] = '\0';
    pthread_mutex_unlock(&message_mutex);
    return status;
}

static VkDebugUtilsMessengerCreateInfoEXT messenger_info(void) {
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
    };
}

static ms_status create_instance(void) {
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const char *wanted = getenv("MUONSCOPE_VULKAN_VALIDATION");
    instance.validation = wanted && *wanted && strcmp(wanted, "0") != 0;
    VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info();
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

static bool has_extension(VkPhysicalDevice handle, const char *name) {
    uint32_t n = 0;
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &n, NULL) != VK_SUCCESS || n == 0) return false;
    VkExtensionProperties *extensions = calloc(n, sizeof *extensions);
    bool found = false;
    if (extensions && vkEnumerateDeviceExtensionProperties(handle, NULL, &n, extensions) == VK_SUCCESS)
        for (uint32_t i = 0; i < n && !found; i++) found = strcmp(extensions[i].extensionName, name) == 0;
    free(extensions);
    return found;
}

/* A queue for downloads beside the work: of a family that only copies (a GPU's copy engines); else a second one of the
   work's family; else of any other family with compute or graphics, which can copy by definition.
   MUONSCOPE_VULKAN_QUEUES=1 makes a device with more queues one with a single queue, to test it. */
static void find_copy_queue(ms_vulkan_gpu *gpu, const VkQueueFamilyProperties *families, int n) {
    const VkQueueFlags beside_copies = VK_QUEUE_TRANSFER_BIT | VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT;
    const char *most = getenv("MUONSCOPE_VULKAN_QUEUES");
    if (most && strcmp(most, "1") == 0) return;
    int best = -1, queue = 0;
    for (int i = n - 1; i >= 0; i--)
        if (i != (int)gpu->queue_family && families[i].queueFlags & (VK_QUEUE_COMPUTE_BIT | VK_QUEUE_GRAPHICS_BIT))
            best = i;
    if (families[gpu->queue_family].queueCount > 1) {
        best = (int)gpu->queue_family;
        queue = 1;
    }
    for (int i = n - 1; i >= 0; i--)
        if (families[i].queueFlags & VK_QUEUE_TRANSFER_BIT && !(families[i].queueFlags & ~beside_copies)) {
            best = i;
            queue = 0;
        }
    if (best < 0) return;
    gpu->has_copy_queue = true;
    gpu->copy_family = (uint32_t)best;
    gpu->copy_queue = (uint32_t)queue;
}

/* The first family with compute and without graphics, whose work does not wait behind a desktop's; else the first with
   compute. */
static bool find_queues(ms_vulkan_gpu *gpu) {
    enum { MOST = 16 };
    VkQueueFamilyProperties families[MOST];
    uint32_t n = 0;
    /* Asked for more than it has, SwiftShader says that it has as many. */
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, NULL);
    if (n > MOST) n = MOST;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->handle, &n, families);
    int best = -1;
    for (int i = (int)n - 1; i >= 0; i--) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        bool is_apart = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
        if (best < 0 || is_apart || (families[best].queueFlags & VK_QUEUE_GRAPHICS_BIT)) best = i;
    }
    if (best < 0) return false;
    gpu->queue_family = (uint32_t)best;
    gpu->timestamp_bits = families[best].timestampValidBits;
    find_copy_queue(gpu, families, (int)n);
    return true;
}

/* What a device reports it can be held to, for 32-bit floats.  A rounding or flushing mode for one width alone needs
   independent widths. */
static ms_vulkan_float_modes modes_of(const VkPhysicalDeviceFloatControlsProperties *controls) {
    return (ms_vulkan_float_modes){
        .keep_special = controls->shaderSignedZeroInfNanPreserveFloat32,
        .round_to_even = controls->shaderRoundingModeRTEFloat32 &&
                         controls->roundingModeIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE,
        .keep_subnormals = controls->shaderDenormPreserveFloat32 &&
                           controls->denormBehaviorIndependence != VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_NONE,
    };
}

/* MUONSCOPE_VULKAN_ALLOCATION: a smaller limit than the device's, in bytes, to test programs in several pieces. */
static VkDeviceSize largest_allocation(const ms_vulkan_gpu *gpu,
                                       const VkPhysicalDeviceMaintenance3Properties *maintenance) {
    VkDeviceSize most = maintenance->maxMemoryAllocationSize;
    if (has_extension(gpu->handle, VK_KHR_MAINTENANCE_4_EXTENSION_NAME)) {
        VkPhysicalDeviceMaintenance4Properties buffers = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
        VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                                  .pNext = &buffers};
        vkGetPhysicalDeviceProperties2(gpu->handle, &properties);
        if (buffers.maxBufferSize < most) most = buffers.maxBufferSize;
    }
    const char *value = getenv("MUONSCOPE_VULKAN_ALLOCATION");
    unsigned long long limit = value ? strtoull(value, NULL, 10) : 0;
    return limit >= MS_VULKAN_SMALLEST_LIMIT && limit < most ? limit : most;
}

static void describe_gpu(ms_vulkan_gpu *gpu) {
    VkPhysicalDeviceFloatControlsProperties controls = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, .pNext = &controls};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = &maintenance};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    gpu->driver =
        (VkPhysicalDeviceDriverProperties){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &id};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &gpu->driver};
    vkGetPhysicalDeviceProperties2(gpu->handle, &properties);
    gpu->driver.pNext = NULL;
    gpu->properties = properties.properties;
    memcpy(gpu->uuid, id.deviceUUID, sizeof gpu->uuid);
    gpu->subgroup_size = subgroup.subgroupSize;
    const VkSubgroupFeatureFlags exchange = VK_SUBGROUP_FEATURE_SHUFFLE_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT;
    gpu->subgroup_exchange = (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                             (subgroup.supportedOperations & exchange) == exchange;
    gpu->float_modes = modes_of(&controls);
    gpu->largest_allocation = largest_allocation(gpu, &maintenance);
    gpu->memory_budget = has_extension(gpu->handle, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(gpu->handle, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            (int64_t)memory.memoryHeaps[i].size > gpu->memory_bytes)
            gpu->memory_bytes = (int64_t)memory.memoryHeaps[i].size;
}

#define REFUSE(...)                                                                                                    \
    do {                                                                                                               \
        snprintf(gpu->reason, sizeof gpu->reason, __VA_ARGS__);                                                        \
        return;                                                                                                        \
    } while (0)

/* Fills reason when the device lacks something that training needs. */
static void judge_gpu(ms_vulkan_gpu *gpu) {
    uint32_t version = gpu->properties.apiVersion;
    if (version < VK_API_VERSION_1_2)
        REFUSE("Vulkan %u.%u, 1.2 is needed", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version));
    describe_gpu(gpu);
    if (!find_queues(gpu)) REFUSE("no queue family with compute");
    VkPhysicalDeviceVulkan12Features features12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features features11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                                   .pNext = &features12};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &features11};
    vkGetPhysicalDeviceFeatures2(gpu->handle, &features);
    gpu->storage16 = features11.storageBuffer16BitAccess && features.features.shaderInt16;
    const VkPhysicalDeviceLimits *limits = &gpu->properties.limits;
    if (!features12.bufferDeviceAddress) REFUSE("no bufferDeviceAddress");
    if (!features12.timelineSemaphore) REFUSE("no timelineSemaphore");
    if (limits->maxComputeWorkGroupInvocations < MS_VULKAN_FEWEST_INVOCATIONS)
        REFUSE("%u invocations in a workgroup, %d are needed", limits->maxComputeWorkGroupInvocations,
               MS_VULKAN_FEWEST_INVOCATIONS);
    if (limits->maxComputeSharedMemorySize < 16384)
        REFUSE("%u bytes of shared memory, 16384 are needed", limits->maxComputeSharedMemorySize);
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
    for (uint32_t i = 0; i < n; i++) {
        ms_vulkan_gpu *gpu = &instance.gpus[i];
        gpu->handle = handles[i];
        vkGetPhysicalDeviceProperties(gpu->handle, &gpu->properties);
        judge_gpu(gpu);
    }
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
        pthread_mutex_lock(&message_mutex);
        if (message[0]) fprintf(stderr, "muonscope: vulkan validation: %s\n", message);
        message[0] = '\0';
        pthread_mutex_unlock(&message_mutex);
    }
    pthread_mutex_unlock(&mutex);
}
