/* Recording: dispatches become command buffers.  A barrier stands where a dispatch reads or writes bytes that an
   earlier one since the last barrier has written, or writes bytes that one has read; others may overlap.  A program is
   cut into parts that are submitted one by one, so that no submission runs into a driver's watchdog (about 2 s on
   Windows, 10 s on Linux). */
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_program.h"
#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"

enum { MOST_STEPS = 2048 }; /* of a part, with the limits of ms_vulkan_limits */

typedef struct pending_access {
    VkDeviceAddress begin, end;
    bool write;
} pending_access;

typedef struct recorder {
    ms_backend_program *program;
    ms_backend_device *device;
    VkCommandBuffer commands; /* being recorded */
    pending_access *pending;  /* accesses since the last barrier */
    int n_pending, capacity;
    VkPipeline bound;
    double flops, bytes; /* of the part so far */
    int n_steps;
    int first_node, last_node; /* of its dispatches; -1: none yet */
} recorder;

/* 0: absent. */
static VkDeviceAddress address_of(const recorder *r, const ms_vulkan_access *access) {
    VkDeviceAddress offset = (VkDeviceAddress)access->offset_bytes;
    switch (access->region) {
    case MS_REGION_VARIABLE:
        return ms_vulkan_variable(r->program, access->variable)->address + offset;
    case MS_REGION_ARENA:
        return ms_vulkan_arena_address(&r->device->arena, access->offset_bytes);
    case MS_REGION_WORKSPACE:
        return r->device->arena.workspace.address + offset;
    case MS_REGION_STEP_SCALARS:
        return r->program->calls->step_scalars < 0
                   ? 0
                   : ms_vulkan_variable(r->program, r->program->calls->step_scalars)->address;
    case MS_REGION_FAULT:
        return r->device->report.words.address;
    case MS_REGION_NONE:
        break;
    }
    return 0;
}

static void clear_pending(recorder *r) { r->n_pending = 0; }

static void barrier(recorder *r) {
    VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT};
    r->device->context.call.vkCmdPipelineBarrier(r->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                                 VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1, &memory, 0, NULL, 0, NULL);
    r->program->n_barriers++;
    clear_pending(r);
}

static bool conflicts(const recorder *r, VkDeviceAddress begin, VkDeviceAddress end, bool write) {
    for (int i = 0; i < r->n_pending; i++) {
        const pending_access *other = &r->pending[i];
        if ((write || other->write) && begin < other->end && other->begin < end) return true;
    }
    return false;
}

static ms_status add_pending(recorder *r, VkDeviceAddress begin, VkDeviceAddress end, bool write) {
    if (r->n_pending == r->capacity) {
        int capacity = r->capacity ? 2 * r->capacity : 256;
        pending_access *pending = realloc(r->pending, (size_t)capacity * sizeof *pending);
        if (!pending) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d accesses", capacity);
        r->pending = pending;
        r->capacity = capacity;
    }
    r->pending[r->n_pending++] = (pending_access){begin, end, write};
    return MS_OK;
}

/* Packed bf16 is written by whole words: an access covers the words that it touches. */
static void word_range(VkDeviceAddress address, int64_t size, VkDeviceAddress *begin, VkDeviceAddress *end) {
    *begin = address & ~(VkDeviceAddress)3;
    *end = (address + (VkDeviceAddress)size + 3) & ~(VkDeviceAddress)3;
}

static ms_status order(recorder *r, const ms_vulkan_step *step, const VkDeviceAddress *addresses) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < step->n_accesses; i++) {
            const ms_vulkan_access *access = &step->accesses[i];
            if (addresses[i] == 0 || access->size_bytes == 0 || (!access->read && !access->write)) continue;
            VkDeviceAddress begin, end;
            word_range(addresses[i], access->size_bytes, &begin, &end);
            if (pass == 1)
                MS_TRY(add_pending(r, begin, end, access->write));
            else if (conflicts(r, begin, end, access->write))
                barrier(r);
        }
    return MS_OK;
}

static ms_vulkan_pipeline pipeline_of(const ms_vulkan_step *step) {
    ms_vulkan_pipeline pipeline = {.shader = step->shader, .n_constants = step->n_constants};
    memcpy(pipeline.constants, step->constants, sizeof pipeline.constants);
    return pipeline;
}

static ms_status record_step(recorder *r, const ms_vulkan_step *step) {
    const struct VolkDeviceTable *call = &r->device->context.call;
    VkDeviceAddress addresses[MS_VULKAN_MAX_OPERANDS];
    for (int i = 0; i < step->n_accesses; i++) addresses[i] = address_of(r, &step->accesses[i]);
    MS_TRY(order(r, step, addresses));
    VkPipeline pipeline;
    ms_vulkan_pipeline wanted = pipeline_of(step);
    MS_TRY(ms_vulkan_pipeline_get(&r->device->pipelines, &wanted, &pipeline));
    if (pipeline != r->bound) call->vkCmdBindPipeline(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    r->bound = pipeline;
    /* All 128 bytes: a shader's block may end in padding. */
    char push[MS_VULKAN_PUSH_BYTES] = {0};
    size_t n_address_bytes = (size_t)step->n_accesses * sizeof *addresses;
    memcpy(push, addresses, n_address_bytes);
    memcpy(push + n_address_bytes, step->numbers, (size_t)step->n_numbers * sizeof *step->numbers);
    call->vkCmdPushConstants(r->commands, r->device->pipelines.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push,
                             push);
    call->vkCmdDispatch(r->commands, step->groups[0], step->groups[1], step->groups[2]);
    return MS_OK;
}

static ms_status begin_part(recorder *r) {
    ms_backend_program *program = r->program;
    VkCommandBuffer *parts = realloc(program->parts, ((size_t)program->n_parts + 1) * sizeof *parts);
    if (parts) program->parts = parts;
    ms_vulkan_node_range *nodes = realloc(program->part_nodes, ((size_t)program->n_parts + 1) * sizeof *nodes);
    if (nodes) program->part_nodes = nodes;
    if (!parts || !nodes) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for a command buffer");
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = program->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    MS_VULKAN_TRY(r->device->context.call.vkAllocateCommandBuffers(r->device->context.handle, &info, &r->commands),
                  "allocating a command buffer");
    program->parts[program->n_parts++] = r->commands;
    /* A run may be queued while the one before is still at work: the barrier at the start keeps them apart. */
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    MS_VULKAN_TRY(r->device->context.call.vkBeginCommandBuffer(r->commands, &begin), "beginning a command buffer");
    ms_vulkan_full_barrier(&r->device->context, r->commands);
    clear_pending(r);
    r->bound = VK_NULL_HANDLE;
    r->flops = r->bytes = 0;
    r->n_steps = 0;
    r->first_node = r->last_node = -1;
    return MS_OK;
}

/* Leaves the number of the part's last node in the progress word, to name those at work when the device is lost. */
static ms_status end_part(recorder *r) {
    const ms_vulkan_range *report = &r->device->report.words;
    uint32_t base = r->program->table.first; /* of a program without dispatches: its first node */
    ms_vulkan_node_range *nodes = &r->program->part_nodes[r->program->n_parts - 1];
    *nodes = r->first_node < 0 ? (ms_vulkan_node_range){base, base}
                               : (ms_vulkan_node_range){base + (uint32_t)r->first_node, base + (uint32_t)r->last_node};
    ms_vulkan_full_barrier(&r->device->context, r->commands);
    r->device->context.call.vkCmdFillBuffer(r->commands, report->buffer,
                                            report->offset + MS_VULKAN_REPORT_PROGRESS * sizeof(uint32_t),
                                            sizeof(uint32_t), nodes->last + 1);
    return ms_vulkan_status(r->device->context.call.vkEndCommandBuffer(r->commands), "ending a command buffer");
}

static void timestamp(recorder *r, int i) {
    if (!r->program->queries) return;
    r->device->context.call.vkCmdWriteTimestamp(r->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r->program->queries,
                                                (uint32_t)i);
}

/* Whether the part so far must end before this much more. */
static bool is_full(const recorder *r, double flops, double bytes) {
    const ms_vulkan_limits *limits = &r->device->limits;
    return r->n_steps > 0 &&
           (r->flops + flops > limits->part_flops || r->bytes + bytes > limits->part_bytes || r->n_steps >= MOST_STEPS);
}

static ms_status make_room(recorder *r, double flops, double bytes) {
    if (!is_full(r, flops, bytes)) return MS_OK;
    MS_TRY(end_part(r));
    return begin_part(r);
}

static ms_status record_node(recorder *r, int i_node, int *i_step) {
    const ms_backend_program *program = r->program;
    char activity[96];
    ms_vulkan_set_activity(ms_op_call_text(&program->calls->calls[i_node], activity, sizeof activity));
    ms_status status = MS_OK;
    bool by_step = false; /* an op whose dispatches say what they cost, and between which it may be cut */
    for (; status == MS_OK && *i_step < program->encoder.n_steps; ++*i_step, r->n_steps++) {
        const ms_vulkan_step *step = &program->encoder.steps[*i_step];
        if (step->node != i_node) break;
        by_step = by_step || step->flops > 0;
        if (step->flops > 0) status = make_room(r, step->flops, 0);
        if (r->first_node < 0) r->first_node = i_node;
        r->last_node = i_node;
        if (status == MS_OK) status = record_step(r, step);
        r->flops += step->flops;
    }
    if (status == MS_OK)
        status = ms_vulkan_check_validation();
    else
        status = ms_status_note(status, "%s", activity);
    ms_vulkan_set_activity("");
    if (!by_step) r->flops += program->calls->calls[i_node].cost.flops;
    r->bytes += program->calls->calls[i_node].cost.bytes;
    if (status == MS_OK && program->calls->times.on) {
        barrier(r); /* one op at a time, so that its time is its own */
        timestamp(r, i_node + 1);
    }
    return status;
}

static ms_status record_all(recorder *r) {
    ms_backend_program *program = r->program;
    MS_TRY(begin_part(r));
    if (program->queries) {
        r->device->context.call.vkCmdResetQueryPool(r->commands, program->queries, 0,
                                                    (uint32_t)program->calls->n_calls + 1);
        timestamp(r, 0);
    }
    int i_step = 0;
    for (int i = 0; i < program->calls->n_calls; i++) {
        const ms_cost *cost = &program->calls->calls[i].cost;
        MS_TRY(make_room(r, cost->flops, cost->bytes));
        MS_TRY(record_node(r, i, &i_step));
    }
    return end_part(r);
}

static ms_status make_pipelines(ms_backend_program *program) {
    int n = program->encoder.n_steps;
    ms_vulkan_pipeline *wanted = calloc((size_t)n + 1, sizeof *wanted);
    if (!wanted) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d pipelines", n);
    for (int i = 0; i < n; i++) wanted[i] = pipeline_of(&program->encoder.steps[i]);
    ms_status status = ms_vulkan_pipelines_make(&program->device->pipelines, wanted, n);
    free(wanted);
    return status == MS_OK ? ms_vulkan_check_validation() : status;
}

static ms_status create_queries(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (!program->calls->times.on || device->context.gpu->timestamp_bits == 0) return MS_OK;
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = (uint32_t)program->calls->n_calls + 1};
    return ms_vulkan_status(
        device->context.call.vkCreateQueryPool(device->context.handle, &info, NULL, &program->queries),
        "creating a query pool");
}

ms_status ms_vulkan_record(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = device->context.gpu->queue_family};
    MS_VULKAN_TRY(device->context.call.vkCreateCommandPool(device->context.handle, &pool, NULL, &program->pool),
                  "creating a command pool");
    MS_TRY(create_queries(program));
    MS_TRY(make_pipelines(program));
    recorder r = {.program = program, .device = device};
    program->n_barriers = 0;
    ms_status status = record_all(&r);
    free(r.pending);
    if (status != MS_OK) return status;
    program->generation = device->arena.generation;
    program->recorded_timing = program->calls->times.on;
    return MS_OK;
}

void ms_vulkan_record_finish(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (program->queries) device->context.call.vkDestroyQueryPool(device->context.handle, program->queries, NULL);
    if (program->pool) device->context.call.vkDestroyCommandPool(device->context.handle, program->pool, NULL);
    free(program->parts);
    free(program->part_nodes);
    program->queries = VK_NULL_HANDLE;
    program->pool = VK_NULL_HANDLE;
    program->parts = NULL;
    program->part_nodes = NULL;
    program->n_parts = 0;
    program->generation = 0;
}
