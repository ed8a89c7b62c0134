/* Lanes: submissions start in order, and a timeline semaphore counts them.  Every submission to the work lane begins
   with a full barrier, so that none overlaps the one before in a harmful way; the lane of copies waits for values of
   the work lane. */
#include "backend/vulkan/vulkan_device.h"

#include <stdio.h>
#include <string.h>

void ms_vulkan_full_barrier(ms_backend_device *device, VkCommandBuffer commands) {
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                                                VK_ACCESS_HOST_READ_BIT};
    const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    device->call.vkCmdPipelineBarrier(commands, work, work | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0,
                                      NULL);
}

void ms_vulkan_note_part(ms_backend_device *device, uint32_t first_node, uint32_t last_node) {
    device->recent_parts[device->n_parts++ % MS_VULKAN_RECENT] =
        (ms_vulkan_submitted_part){device->work.submitted + 1, first_node, last_node};
}

/* The part that was at work: the first that was not waited for, or where the progress word, which each part writes at
   its end, has the last node of such a part, the one behind it.  NULL: there was none. */
static const ms_vulkan_submitted_part *part_at_work(const ms_backend_device *device) {
    uint32_t progress = ((volatile uint32_t *)device->report.mapped)[MS_VULKAN_REPORT_PROGRESS];
    const ms_vulkan_submitted_part *found = NULL;
    bool is_over = false; /* the part found so far */
    for (uint64_t i = device->n_parts < MS_VULKAN_RECENT ? 0 : device->n_parts - MS_VULKAN_RECENT; i < device->n_parts;
         i++) {
        const ms_vulkan_submitted_part *part = &device->recent_parts[i % MS_VULKAN_RECENT];
        if (part->value <= device->work.completed) continue;
        if (!found || is_over) found = part;
        is_over = progress == part->last_node + 1;
    }
    return found;
}

/* Says which ops were at work, and keeps what it says for everybody who asks later. */
static ms_status lost(ms_backend_device *device, ms_status status) {
    device->lost = true;
    const ms_vulkan_submitted_part *part = part_at_work(device);
    char first[96], last[96], where[220] = "between programs";
    if (part) {
        ms_vulkan_describe_node(device, part->first_node, first, sizeof first);
        ms_vulkan_describe_node(device, part->last_node, last, sizeof last);
        snprintf(where, sizeof where, "at work on %s%s%s", first, part->first_node == part->last_node ? "" : " to ",
                 part->first_node == part->last_node ? "" : last);
    }
    ms_status_note(status, "vulkan:%d (%s): %s", device->index, device->gpu.properties.deviceName, where);
    snprintf(device->lost_message, sizeof device->lost_message, "%s", ms_status_message());
    return status;
}

static ms_status check(ms_backend_device *device, VkResult result, const char *what) {
    ms_status status = ms_vulkan_status(result, what);
    return status == MS_DEVICE_LOST ? lost(device, status) : status;
}

static ms_status refuse_lost(const ms_backend_device *device) {
    return MS_FAIL(MS_DEVICE_LOST, "%s (the device is lost: open it again and resume from the last checkpoint)",
                   device->lost_message);
}

ms_status ms_vulkan_lane_init(ms_backend_device *device, uint32_t family, uint32_t queue, ms_vulkan_lane *lane) {
    lane->family = family;
    device->call.vkGetDeviceQueue(device->handle, family, queue, &lane->queue);
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = family};
    MS_VULKAN_TRY(device->call.vkCreateCommandPool(device->handle, &pool, NULL, &lane->pool),
                  "creating a command pool");
    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    return ms_vulkan_status(device->call.vkCreateSemaphore(device->handle, &semaphore, NULL, &lane->timeline),
                            "creating a timeline semaphore");
}

void ms_vulkan_lane_finish(ms_backend_device *device, ms_vulkan_lane *lane) {
    if (lane->timeline) device->call.vkDestroySemaphore(device->handle, lane->timeline, NULL);
    if (lane->pool) device->call.vkDestroyCommandPool(device->handle, lane->pool, NULL);
    *lane = (ms_vulkan_lane){0};
}

ms_status ms_vulkan_submit(ms_backend_device *device, ms_vulkan_lane *lane, VkCommandBuffer commands, uint64_t after,
                           uint64_t *out_value) {
    if (device->lost) return refuse_lost(device);
    uint64_t value = lane->submitted + 1;
    uint32_t n_waits = after > 0; /* also for a value that is over: what it made must become visible to this queue */
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                              .waitSemaphoreValueCount = n_waits,
                                              .pWaitSemaphoreValues = &after,
                                              .signalSemaphoreValueCount = 1,
                                              .pSignalSemaphoreValues = &value};
    VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .pNext = &timeline,
                           .waitSemaphoreCount = n_waits,
                           .pWaitSemaphores = &device->work.timeline,
                           .pWaitDstStageMask = &stage,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                           .signalSemaphoreCount = 1,
                           .pSignalSemaphores = &lane->timeline};
    MS_TRY(check(device, device->call.vkQueueSubmit(lane->queue, 1, &submit, VK_NULL_HANDLE), "submitting work"));
    lane->submitted = value;
    if (out_value) *out_value = value;
    return MS_OK;
}

/* A fault word that a shader has written becomes an error, once.  While its program may be running the second word may
   not be there yet: a later wait tells. */
static ms_status check_fault(ms_backend_device *device) {
    volatile uint32_t *report = device->report.mapped;
    uint32_t fault = report[MS_VULKAN_REPORT_NODE];
    if (fault == 0 || ms_vulkan_node_is_at_work(device, fault - 1)) return MS_OK;
    int32_t value = (int32_t)report[MS_VULKAN_REPORT_VALUE];
    report[MS_VULKAN_REPORT_NODE] = 0;
    char node[96];
    ms_vulkan_describe_node(device, fault - 1, node, sizeof node);
    return MS_FAIL(MS_INVALID, "%s: value %d is outside of [0, %lld)", node, (int)value,
                   (long long)ms_vulkan_fault_limit(device, fault - 1));
}

ms_status ms_vulkan_wait(ms_backend_device *device, ms_vulkan_lane *lane, uint64_t value) {
    if (device->lost) return refuse_lost(device);
    if (value > lane->completed) {
        VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                    .semaphoreCount = 1,
                                    .pSemaphores = &lane->timeline,
                                    .pValues = &value};
        MS_TRY(
            check(device, device->call.vkWaitSemaphores(device->handle, &wait, UINT64_MAX), "waiting for the device"));
        lane->completed = value;
    }
    MS_TRY(check_fault(device));
    return ms_vulkan_check_validation();
}

void ms_vulkan_settle(ms_backend_device *device, uint64_t value) {
    if (device->lost || value <= device->work.completed) return;
    VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &device->work.timeline,
                                .pValues = &value};
    /* What went wrong, the next call will meet again. */
    if (device->call.vkWaitSemaphores(device->handle, &wait, UINT64_MAX) == VK_SUCCESS) device->work.completed = value;
}

ms_status ms_vulkan_wait_all(ms_backend_device *device) {
    return ms_vulkan_wait(device, &device->work, device->work.submitted);
}
