/* A Vulkan layer that gives a driver with one queue more of them, and does the work of the first as late as it may.
   VULKAN_QUEUES says what the device has: "one" queue, "two" in its family, or a second "family" that only copies.

   What is submitted to the work queue is held back until somebody needs it: a host wait for a value of its timeline, or
   a submission to the second queue that waits for one.  So whatever is copied while work is held back was copied
   beside it; a download that waited for all work would find none left.  muonscope_held_back tells how
   many submissions are held now, to a test in the same process (which opens this library again).

   It knows what the backend does with queues and aborts on anything else: one submission a call, one command buffer,
   timeline semaphores, at most one wait.  Below the validation layer, which then sees the queues that are promised.
   One device at a time, one thread.  Interface: "Architecture of the Vulkan loader interfaces", layers, version 2. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vulkan/layer.h"

enum { MOST_HELD = 4096 };

typedef struct held_submission {
    VkCommandBuffer commands;
    VkSemaphore semaphore;
    uint64_t value;
} held_submission;

static struct {
    PFN_vkGetInstanceProcAddr instance_function;
    PFN_vkGetDeviceProcAddr device_function;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties families;
    PFN_vkGetDeviceQueue device_queue;
    PFN_vkQueueSubmit queue_submit;
    PFN_vkWaitSemaphores wait_semaphores;
    PFN_vkDeviceWaitIdle wait_idle;
    PFN_vkCreateBuffer create_buffer;
    PFN_vkCreateCommandPool create_pool;
    PFN_vkGetQueryPoolResults query_results;
    VkInstance instance;
} next;

/* The second queue: only its first word is looked at by others, which is the loader's table of functions. */
static struct { void *dispatch; } copy_queue;

static VkQueue work_queue;
static held_submission held[MOST_HELD];
int muonscope_held_back; /* how many */

static void give_up(const char *what) {
    fprintf(stderr, "queues_layer: %s\n", what);
    abort();
}

static const char *queues(void) {
    const char *wanted = getenv("VULKAN_QUEUES");
    if (!wanted || (strcmp(wanted, "one") != 0 && strcmp(wanted, "two") != 0 && strcmp(wanted, "family") != 0))
        give_up("VULKAN_QUEUES is not one, two or family");
    return wanted;
}

static bool is_family(void) { return strcmp(queues(), "family") == 0; }
static bool is_one(void) { return strcmp(queues(), "one") == 0; }

/* Hands the first `n` held submissions to the driver. */
static VkResult release_held(int n) {
    for (int i = 0; i < n; i++) {
        const held_submission *work = &held[i];
        VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                                  .signalSemaphoreValueCount = 1,
                                                  .pSignalSemaphoreValues = &work->value};
        VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .pNext = &timeline,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &work->commands,
                               .signalSemaphoreCount = 1,
                               .pSignalSemaphores = &work->semaphore};
        VkResult result = next.queue_submit(work_queue, 1, &submit, VK_NULL_HANDLE);
        if (result != VK_SUCCESS) return result;
    }
    memmove(held, held + n, (size_t)(muonscope_held_back - n) * sizeof *held);
    muonscope_held_back -= n;
    return VK_SUCCESS;
}

/* What must have been done before a semaphore has a value. */
static VkResult release_until(VkSemaphore semaphore, uint64_t value) {
    int n = 0;
    for (int i = 0; i < muonscope_held_back; i++)
        if (held[i].semaphore == semaphore && held[i].value <= value) n = i + 1;
    return release_held(n);
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit(VkQueue queue, uint32_t n, const VkSubmitInfo *submits,
                                                   VkFence fence) {
    const VkTimelineSemaphoreSubmitInfo *timeline = n == 1 ? submits->pNext : NULL;
    if (n != 1 || fence || !timeline || timeline->sType != VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO ||
        submits->commandBufferCount != 1 || submits->signalSemaphoreCount != 1 || submits->waitSemaphoreCount > 1)
        give_up("a submission of another kind");
    if (queue != (VkQueue)(void *)&copy_queue) {
        if (submits->waitSemaphoreCount > 0) give_up("work that waits");
        if (muonscope_held_back == MOST_HELD) give_up("too much work is held");
        held[muonscope_held_back++] = (held_submission){submits->pCommandBuffers[0], submits->pSignalSemaphores[0],
                                                        timeline->pSignalSemaphoreValues[0]};
        return VK_SUCCESS;
    }
    if (submits->waitSemaphoreCount > 0) {
        VkResult result = release_until(submits->pWaitSemaphores[0], timeline->pWaitSemaphoreValues[0]);
        if (result != VK_SUCCESS) return result;
    }
    return next.queue_submit(work_queue, n, submits, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_semaphores(VkDevice device, const VkSemaphoreWaitInfo *info,
                                                      uint64_t timeout) {
    for (uint32_t i = 0; i < info->semaphoreCount; i++) {
        VkResult result = release_until(info->pSemaphores[i], info->pValues[i]);
        if (result != VK_SUCCESS) return result;
    }
    return next.wait_semaphores(device, info, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_idle(VkDevice device) {
    VkResult result = release_held(muonscope_held_back);
    return result == VK_SUCCESS ? next.wait_idle(device) : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL query_results(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t n,
                                                    size_t size, void *data, VkDeviceSize stride,
                                                    VkQueryResultFlags flags) {
    VkResult result = release_held(muonscope_held_back);
    return result == VK_SUCCESS ? next.query_results(device, pool, first, n, size, data, stride, flags) : result;
}

static VKAPI_ATTR void VKAPI_CALL families(VkPhysicalDevice device, uint32_t *n, VkQueueFamilyProperties *out) {
    VkQueueFamilyProperties own[16];
    uint32_t n_own = 0;
    next.families(device, &n_own, NULL);
    if (n_own != 1) give_up("the driver has more than one family");
    next.families(device, &n_own, own);
    own[0].queueCount = strcmp(queues(), "two") == 0 ? 2 : 1;
    own[1] = (VkQueueFamilyProperties){
        .queueFlags = VK_QUEUE_TRANSFER_BIT, .queueCount = 1, .minImageTransferGranularity = {1, 1, 1}};
    uint32_t n_promised = is_family() ? 2 : 1;
    if (!out) {
        *n = n_promised;
        return;
    }
    if (*n > n_promised) *n = n_promised;
    memcpy(out, own, *n * sizeof *own);
}

static VKAPI_ATTR void VKAPI_CALL families2(VkPhysicalDevice device, uint32_t *n, VkQueueFamilyProperties2 *out) {
    VkQueueFamilyProperties plain[2];
    families(device, n, out ? plain : NULL);
    for (uint32_t i = 0; out && i < *n; i++) out[i].queueFamilyProperties = plain[i];
}

static VKAPI_ATTR void VKAPI_CALL device_queue(VkDevice device, uint32_t family, uint32_t index, VkQueue *out) {
    if (family == 0 && index == 0) {
        next.device_queue(device, 0, 0, out);
        work_queue = *out;
        return;
    }
    if (is_one() || family != (is_family() ? 1u : 0u) || index != (is_family() ? 0u : 1u))
        give_up("a queue that the device does not have");
    copy_queue.dispatch = *(void **)device;
    *out = (VkQueue)(void *)&copy_queue;
}

/* The driver knows its one family. */
static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkBuffer *out) {
    VkBufferCreateInfo own = *info;
    own.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
    own.queueFamilyIndexCount = 0;
    own.pQueueFamilyIndices = NULL;
    return next.create_buffer(device, &own, allocator, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice device, const VkCommandPoolCreateInfo *info,
                                                  const VkAllocationCallbacks *allocator, VkCommandPool *out) {
    VkCommandPoolCreateInfo own = *info;
    own.queueFamilyIndex = 0;
    return next.create_pool(device, &own, allocator, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator, VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = instance_link(info);
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next.instance_function = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next.instance_function(NULL, "vkCreateInstance");
    VkResult result = create(info, allocator, instance);
    if (result != VK_SUCCESS) return result;
    next.instance = *instance;
    next.families = (PFN_vkGetPhysicalDeviceQueueFamilyProperties)next.instance_function(
        *instance, "vkGetPhysicalDeviceQueueFamilyProperties");
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = device_link(info);
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next.device_function = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)next.instance_function(next.instance, "vkCreateDevice");
    VkDeviceQueueCreateInfo queue = info->pQueueCreateInfos[0];
    VkDeviceCreateInfo own = *info;
    queue.queueCount = 1;
    own.queueCreateInfoCount = 1;
    own.pQueueCreateInfos = &queue;
    muonscope_held_back = 0;
    VkResult result = create(physical, &own, allocator, device);
    if (result != VK_SUCCESS) return result;
#define FIND(field, function) next.field = (PFN_##function)next.device_function(*device, #function)
    FIND(device_queue, vkGetDeviceQueue);
    FIND(queue_submit, vkQueueSubmit);
    FIND(wait_semaphores, vkWaitSemaphores);
    FIND(wait_idle, vkDeviceWaitIdle);
    FIND(create_buffer, vkCreateBuffer);
    FIND(create_pool, vkCreateCommandPool);
    FIND(query_results, vkGetQueryPoolResults);
#undef FIND
    return VK_SUCCESS;
}

static PFN_vkVoidFunction device_function(VkDevice device, const char *name);
static PFN_vkVoidFunction instance_function(VkInstance instance, const char *name);

static PFN_vkVoidFunction own_function(const char *name) {
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {{"vkGetInstanceProcAddr", (PFN_vkVoidFunction)instance_function},
                 {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)device_function},
                 {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
                 {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
                 {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)families},
                 {"vkGetPhysicalDeviceQueueFamilyProperties2", (PFN_vkVoidFunction)families2},
                 {"vkGetPhysicalDeviceQueueFamilyProperties2KHR", (PFN_vkVoidFunction)families2},
                 {"vkGetDeviceQueue", (PFN_vkVoidFunction)device_queue},
                 {"vkQueueSubmit", (PFN_vkVoidFunction)queue_submit},
                 {"vkWaitSemaphores", (PFN_vkVoidFunction)wait_semaphores},
                 {"vkDeviceWaitIdle", (PFN_vkVoidFunction)wait_idle},
                 {"vkCreateBuffer", (PFN_vkVoidFunction)create_buffer},
                 {"vkCreateCommandPool", (PFN_vkVoidFunction)create_pool},
                 {"vkGetQueryPoolResults", (PFN_vkVoidFunction)query_results}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(name, table[i].name) == 0) return table[i].function;
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name) {
    PFN_vkVoidFunction own = own_function(name);
    return own ? own : next.device_function(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char *name) {
    PFN_vkVoidFunction own = own_function(name);
    return own ? own : next.instance_function(instance, name);
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->loaderLayerInterfaceVersion < 2) return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = instance_function;
    interface->pfnGetDeviceProcAddr = device_function;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
