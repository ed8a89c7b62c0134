/* Lanes: submissions start in order, and a timeline semaphore counts them.  Every submission to the work lane begins
   with a full barrier, so that none overlaps the one before in a harmful way; the lane of copies waits for values of
   the work lane. */
#include "backend/vulkan/vulkan_queue.h"

#include <stdio.h>
#include <string.h>

#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"

void ms_vulkan_full_barrier(const ms_vulkan_context *context, VkCommandBuffer commands) {
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                                                VK_ACCESS_HOST_READ_BIT};
    const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    context->call.vkCmdPipelineBarrier(commands, work, work | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0,
                                       NULL);
}

void ms_vulkan_note_part(ms_vulkan_lanes *lanes, uint32_t first_node, uint32_t last_node) {
    lanes->recent_parts[lanes->n_parts++ % MS_VULKAN_RECENT] =
        (ms_vulkan_submitted_part){lanes->work.submitted + 1, first_node, last_node};
}

/* The part that was at work: the first that was not waited for, or where the progress word, which each part writes at
   its end, has the last node of such a part, the one behind it.  NULL: there was none. */
static const ms_vulkan_submitted_part *part_at_work(const ms_vulkan_lanes *lanes) {
    uint32_t progress = ms_vulkan_report_progress(lanes->report);
    const ms_vulkan_submitted_part *found = NULL;
    bool is_over = false; /* the part found so far */
    for (uint64_t i = lanes->n_parts < MS_VULKAN_RECENT ? 0 : lanes->n_parts - MS_VULKAN_RECENT; i < lanes->n_parts;
         i++) {
        const ms_vulkan_submitted_part *part = &lanes->recent_parts[i % MS_VULKAN_RECENT];
        if (part->value <= lanes->work.completed) continue;
        if (!found || is_over) found = part;
        is_over = progress == part->last_node + 1;
    }
    return found;
}

/* Says which ops were at work, and keeps what it says for everybody who asks later.
   Submitted work is over when this returns: vkDeviceWaitIdle ends "in finite time" for a lost device (Vulkan 1.2, "Lost
   Device"), and a driver may report a loss before its queues stand still.  So memory can be freed without further
   waits. */
static ms_status lost(ms_vulkan_lanes *lanes, ms_status status) {
    lanes->lost = true;
    (void)lanes->context->call.vkDeviceWaitIdle(lanes->context->handle);
    const ms_vulkan_submitted_part *part = part_at_work(lanes);
    char first[96], last[96], where[220] = "between programs";
    if (part) {
        ms_node_tables_describe(&lanes->report->nodes, part->first_node, first, sizeof first);
        ms_node_tables_describe(&lanes->report->nodes, part->last_node, last, sizeof last);
        snprintf(where, sizeof where, "at work on %s%s%s", first, part->first_node == part->last_node ? "" : " to ",
                 part->first_node == part->last_node ? "" : last);
    }
    ms_status_note(status, "vulkan:%d (%s): %s", lanes->context->index, lanes->context->gpu->properties.deviceName,
                   where);
    snprintf(lanes->lost_message, sizeof lanes->lost_message, "%s", ms_status_message());
    return status;
}

static ms_status check(ms_vulkan_lanes *lanes, VkResult result, const char *what) {
    ms_status status = ms_vulkan_status(result, what);
    return status == MS_DEVICE_LOST ? lost(lanes, status) : status;
}

static ms_status refuse_lost(const ms_vulkan_lanes *lanes) {
    return MS_FAIL(MS_DEVICE_LOST, "%s (the device is lost: open it again and resume from the last checkpoint)",
                   lanes->lost_message);
}

static ms_status init_lane(const ms_vulkan_context *context, uint32_t family, uint32_t queue, ms_vulkan_lane *lane) {
    lane->family = family;
    context->call.vkGetDeviceQueue(context->handle, family, queue, &lane->queue);
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = family};
    MS_VULKAN_TRY(context->call.vkCreateCommandPool(context->handle, &pool, NULL, &lane->pool),
                  "creating a command pool");
    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    return ms_vulkan_status(context->call.vkCreateSemaphore(context->handle, &semaphore, NULL, &lane->timeline),
                            "creating a timeline semaphore");
}

static void finish_lane(const ms_vulkan_context *context, ms_vulkan_lane *lane) {
    if (lane->timeline) context->call.vkDestroySemaphore(context->handle, lane->timeline, NULL);
    if (lane->pool) context->call.vkDestroyCommandPool(context->handle, lane->pool, NULL);
    *lane = (ms_vulkan_lane){0};
}

ms_status ms_vulkan_lanes_init(const ms_vulkan_context *context, ms_vulkan_report *report, ms_vulkan_lanes *out) {
    const ms_vulkan_gpu *gpu = context->gpu;
    *out = (ms_vulkan_lanes){.context = context, .report = report};
    MS_TRY(init_lane(context, gpu->queue_family, 0, &out->work));
    return gpu->has_copy_queue ? init_lane(context, gpu->copy_family, gpu->copy_queue, &out->copies) : MS_OK;
}

void ms_vulkan_lanes_finish(ms_vulkan_lanes *lanes) {
    finish_lane(lanes->context, &lanes->copies);
    finish_lane(lanes->context, &lanes->work);
}

ms_status ms_vulkan_submit(ms_vulkan_lanes *lanes, ms_vulkan_lane *lane, VkCommandBuffer commands, uint64_t after,
                           uint64_t *out_value) {
    if (lanes->lost) return refuse_lost(lanes);
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
                           .pWaitSemaphores = &lanes->work.timeline,
                           .pWaitDstStageMask = &stage,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                           .signalSemaphoreCount = 1,
                           .pSignalSemaphores = &lane->timeline};
    MS_TRY(
        check(lanes, lanes->context->call.vkQueueSubmit(lane->queue, 1, &submit, VK_NULL_HANDLE), "submitting work"));
    lane->submitted = value;
    if (out_value) *out_value = value;
    return MS_OK;
}

ms_status ms_vulkan_wait(ms_vulkan_lanes *lanes, ms_vulkan_lane *lane, uint64_t value) {
    if (lanes->lost) return refuse_lost(lanes);
    if (value > lane->completed) {
        VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                    .semaphoreCount = 1,
                                    .pSemaphores = &lane->timeline,
                                    .pValues = &value};
        MS_TRY(check(lanes, lanes->context->call.vkWaitSemaphores(lanes->context->handle, &wait, UINT64_MAX),
                     "waiting for the device"));
        lane->completed = value;
    }
    MS_TRY(ms_vulkan_report_check(lanes->report, lanes->work.completed));
    return ms_vulkan_check_validation();
}

void ms_vulkan_settle(ms_vulkan_lanes *lanes, uint64_t value) {
    if (lanes->lost || value <= lanes->work.completed) return;
    VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &lanes->work.timeline,
                                .pValues = &value};
    /* What went wrong, the next call will meet again. */
    if (lanes->context->call.vkWaitSemaphores(lanes->context->handle, &wait, UINT64_MAX) == VK_SUCCESS)
        lanes->work.completed = value;
}

ms_status ms_vulkan_wait_all(ms_vulkan_lanes *lanes) {
    return ms_vulkan_wait(lanes, &lanes->work, lanes->work.submitted);
}
