/* The device side of the probe: one shader over the triples of backend/probe.h. */
#include "backend/vulkan/vulkan_probe.h"

#include <string.h>

#include "backend/probe.h"
#include "backend/vulkan/vulkan_device.h"
#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"

enum {
    WIDTH = 64,
    TRIPLE_BYTES = 3 * MS_PROBE_TRIPLES * sizeof(float),
    RESULT_BYTES = MS_PROBE_RESULTS * MS_PROBE_TRIPLES * sizeof(float)
};

static ms_status record(ms_backend_device *device, VkCommandBuffer commands, VkDeviceAddress triples,
                        VkDeviceAddress results) {
    int shader;
    MS_TRY(ms_vulkan_shader_find(&device->limits, "probe", &shader));
    VkPipeline pipeline;
    ms_vulkan_pipeline wanted = {.shader = shader, .n_constants = 3, .constants = {WIDTH, 1, 1}};
    MS_TRY(ms_vulkan_pipelines_make(&device->pipelines, &wanted, 1));
    MS_TRY(ms_vulkan_pipeline_get(&device->pipelines, &wanted, &pipeline));
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    MS_VULKAN_TRY(device->context.call.vkBeginCommandBuffer(commands, &begin), "beginning the probe");
    char push[MS_VULKAN_PUSH_BYTES] = {0};
    const VkDeviceAddress addresses[2] = {triples, results};
    const uint32_t count = MS_PROBE_TRIPLES;
    memcpy(push, addresses, sizeof addresses);
    memcpy(push + sizeof addresses, &count, sizeof count);
    device->context.call.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    device->context.call.vkCmdPushConstants(commands, device->pipelines.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                            sizeof push, push);
    device->context.call.vkCmdDispatch(commands, MS_PROBE_TRIPLES / WIDTH, 1, 1);
    ms_vulkan_full_barrier(&device->context, commands);
    return ms_vulkan_status(device->context.call.vkEndCommandBuffer(commands), "ending the probe");
}

static ms_status run(ms_backend_device *device, const float *triples, ms_vulkan_range *inputs, ms_vulkan_range *outputs,
                     float *results) {
    MS_TRY(ms_vulkan_allocate(&device->memory, MS_VULKAN_HOST_WRITES, TRIPLE_BYTES, inputs));
    MS_TRY(ms_vulkan_allocate(&device->memory, MS_VULKAN_HOST_READS, RESULT_BYTES, outputs));
    memcpy(inputs->mapped, triples, TRIPLE_BYTES);
    memset(outputs->mapped, 0xff, RESULT_BYTES);
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = device->lanes.work.pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    VkCommandBuffer commands;
    MS_VULKAN_TRY(device->context.call.vkAllocateCommandBuffers(device->context.handle, &info, &commands),
                  "allocating a command buffer");
    uint64_t value = 0;
    ms_status status = record(device, commands, inputs->address, outputs->address);
    if (status == MS_OK) status = ms_vulkan_submit(&device->lanes, &device->lanes.work, commands, 0, &value);
    if (status == MS_OK) status = ms_vulkan_wait(&device->lanes, &device->lanes.work, value);
    device->context.call.vkFreeCommandBuffers(device->context.handle, device->lanes.work.pool, 1, &commands);
    if (status == MS_OK) memcpy(results, outputs->mapped, RESULT_BYTES);
    return status == MS_OK ? ms_vulkan_check_validation() : status;
}

ms_status ms_vulkan_probe(ms_backend_device *device, const float *triples, float *out_results) {
    ms_vulkan_range inputs = {0}, outputs = {0};
    ms_status status = run(device, triples, &inputs, &outputs, out_results);
    ms_vulkan_release(&device->memory, &inputs);
    ms_vulkan_release(&device->memory, &outputs);
    return status;
}
