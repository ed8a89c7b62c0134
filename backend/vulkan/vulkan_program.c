/* Programs on Vulkan: a graph is encoded into dispatches when compiled, recorded into command buffers at its first run
   (addresses are known then), and submitted as it stands at every run. */
#include "backend/vulkan/vulkan_program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ir/passes.h"
#include "backend/vulkan/vulkan_status.h"

/* A primitive or free op without an encoder does not link; composites never reach a program. */
#define ENCODER_PRIMITIVE(lower) ms_vulkan_##lower
#define ENCODER_ELEMENTWISE(lower) ms_vulkan_formula
#define ENCODER_FREE(lower) ms_vulkan_##lower
#define ENCODER_COMPOSITE(lower) NULL
static const ms_vulkan_kernel encoders[MS_OP_COUNT] = {
#define OP(upper, lower, kind, ...) ENCODER_##kind(lower),
#include "backend/ir/ops.def"
#undef OP
};

static void set_operand(const ms_compile_request *request, ms_tensor tensor, ms_vulkan_operand *operand) {
    *operand = ms_vulkan_absent();
    if (tensor == MS_NO_TENSOR) return;
    const ms_tensor_info *info = ms_graph_tensor(request->graph, tensor);
    const ms_place *place = &request->plan->places[tensor];
    operand->dtype = info->dtype;
    operand->shape = info->shape;
    operand->count = ms_shape_count(&info->shape);
    operand->size_bytes = operand->count * (int64_t)ms_dtype_size(info->dtype);
    if (place->offset < 0) return; /* an output that nobody wants: shape and dtype are there, storage is not */
    operand->region = place->variable >= 0 ? MS_VULKAN_VARIABLE : MS_VULKAN_ARENA;
    operand->variable = place->variable;
    operand->offset_bytes = place->offset;
}

/* Without 16-bit storage elements of 2 bytes are halves of words that start with the operand. */
static ms_status check_operand(const ms_vulkan_call *call, const ms_vulkan_operand *operand) {
    if (call->limits->storage16 || !ms_vulkan_is_given(operand) || operand->offset_bytes % 4 == 0) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED,
                   "%s: a %s operand at element %lld: this device has no 16-bit storage, so it must be even",
                   ms_op_get(call->op)->name, ms_dtype_name(operand->dtype),
                   (long long)(operand->offset_bytes / (int64_t)ms_dtype_size(operand->dtype)));
}

/* Of the first dispatch from `first_step` on that may report a fault, 0: none may. */
static int64_t fault_limit_from(const ms_vulkan_encoder *encoder, int first_step) {
    for (int i = first_step; i < encoder->n_steps; i++)
        if (encoder->steps[i].fault_limit > 0) return encoder->steps[i].fault_limit;
    return 0;
}

static ms_status encode_node(ms_backend_program *program, const ms_compile_request *request, int i_node) {
    const ms_node *node = ms_graph_node(request->graph, i_node);
    ms_cost cost = ms_node_cost(request->graph, node);
    program->nodes[i_node] = (ms_vulkan_node){cost.flops, cost.bytes};
    program->table.entries[i_node] = (ms_node_entry){node->op, node->block, 0};
    ms_vulkan_call call = {.op = node->op,
                           .attributes = &node->attributes,
                           .limits = &program->device->limits,
                           .encoder = &program->encoder};
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        set_operand(request, i < node->n_inputs ? node->inputs[i] : MS_NO_TENSOR, &call.in[i]);
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        set_operand(request, i < node->n_outputs ? node->outputs[i] : MS_NO_TENSOR, &call.out[i]);
    program->encoder.node = i_node;
    for (int i = 0; i < MS_MAX_INPUTS; i++) MS_TRY(check_operand(&call, &call.in[i]));
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) MS_TRY(check_operand(&call, &call.out[i]));
    int first_step = program->encoder.n_steps;
    MS_TRY_NOTE(encoders[node->op](&call), "%s (node %d, block %d)", ms_op_get(node->op)->name, i_node,
                (int)node->block);
    program->table.entries[i_node].fault_limit = fault_limit_from(&program->encoder, first_step);
    return MS_OK;
}

static ms_status encode(ms_backend_program *program, const ms_compile_request *request) {
    for (int i = 0; i < program->table.n_nodes; i++) MS_TRY(encode_node(program, request, i));
    return MS_OK;
}

/* Variables are there, or this is only an estimate. */
static void borrow_variables(ms_backend_program *program, const ms_compile_request *request) {
    for (int i = 0; i < program->n_variables; i++) program->variables[i] = request->variables[i];
}

ms_status ms_vulkan_program_create(ms_backend_device *device, const ms_compile_request *request,
                                   ms_backend_program **out) {
    *out = NULL;
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for a program");
    program->device = device;
    program->table.n_nodes = ms_graph_n_nodes(request->graph);
    ms_node_tables_add(&device->report.nodes, &program->table);
    program->n_variables = ms_variables_count(ms_graph_variables(request->graph));
    program->step_scalars = ms_graph_step_scalars(request->graph);
    program->arena_bytes = request->plan->arena_bytes;
    program->encoder.limits = &device->limits;
    program->encoder.first_node = program->table.first;
    program->nodes = calloc((size_t)program->table.n_nodes + 1, sizeof *program->nodes);
    program->table.entries = calloc((size_t)program->table.n_nodes + 1, sizeof *program->table.entries);
    program->variables = calloc((size_t)program->n_variables + 1, sizeof *program->variables);
    program->written = calloc((size_t)program->n_variables + 1, sizeof *program->written);
    ms_status status = MS_OK;
    if (!program->nodes || !program->table.entries || !program->variables || !program->written)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for a program of %d nodes", program->table.n_nodes);
    if (status == MS_OK) {
        borrow_variables(program, request);
        ms_plan_find_written(request->graph, request->plan, program->written);
        status = encode(program, request);
    }
    if (status != MS_OK) {
        ms_vulkan_program_destroy(program);
        return status;
    }
    *out = program;
    return MS_OK;
}

void ms_vulkan_program_destroy(ms_backend_program *program) {
    if (!program) return;
    ms_backend_device *device = program->device;
    ms_vulkan_settle(&device->lanes, program->table.last_value);
    ms_vulkan_record_finish(program);
    ms_node_tables_remove(&device->report.nodes, &program->table);
    free(program->table.entries);
    free(program->encoder.steps);
    free(program->nodes);
    free(program->variables);
    free(program->written);
    free(program);
}

static ms_status add_times(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    size_t n = (size_t)program->table.n_nodes + 1;
    uint64_t *ticks = calloc(n, sizeof *ticks);
    if (!ticks) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %zu timestamps", n);
    VkResult result = device->context.call.vkGetQueryPoolResults(device->context.handle, program->queries, 0,
                                                                 (uint32_t)n, n * sizeof *ticks, ticks, sizeof *ticks,
                                                                 VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    double seconds_per_tick = 1e-9 * (double)device->context.gpu->properties.limits.timestampPeriod;
    uint32_t bits = device->context.gpu->timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    for (int i = 0; result == VK_SUCCESS && i < program->table.n_nodes; i++) {
        program->seconds[program->table.entries[i].op] += (double)((ticks[i + 1] - ticks[i]) & mask) * seconds_per_tick;
        program->n_timed[program->table.entries[i].op]++;
    }
    free(ticks);
    return ms_vulkan_status(result, "reading timestamps");
}

ms_status ms_vulkan_program_run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (program->n_variables > 0 && !program->variables[0])
        return MS_FAIL(MS_INTERNAL, "vulkan: a program that was compiled for an estimate cannot run");
    MS_TRY(ms_vulkan_arena_reserve(&device->arena, program->arena_bytes, program->encoder.workspace_bytes));
    if (program->generation != device->arena.generation || program->recorded_timing != program->timing) {
        MS_TRY(ms_vulkan_wait(&device->lanes, &device->lanes.work, program->table.last_value));
        ms_vulkan_record_finish(program);
        MS_TRY(ms_vulkan_record(program));
    }
    for (int i = 0; i < program->n_parts; i++) {
        ms_vulkan_note_part(&device->lanes, program->part_nodes[i].first, program->part_nodes[i].last);
        MS_TRY(ms_vulkan_submit(&device->lanes, &device->lanes.work, program->parts[i], 0, &program->table.last_value));
    }
    for (int i = 0; i < program->n_variables; i++)
        if (program->written[i]) program->variables[i]->written = program->table.last_value;
    if (!program->recorded_timing) return MS_OK;
    MS_TRY(ms_vulkan_wait(&device->lanes, &device->lanes.work, program->table.last_value));
    return program->queries ? add_times(program) : MS_OK;
}

size_t ms_vulkan_program_workspace_bytes(const ms_backend_program *program) { return program->encoder.workspace_bytes; }

void ms_vulkan_program_counts(const ms_backend_program *program, ms_program_counts *out) {
    *out = (ms_program_counts){program->encoder.n_steps, program->n_barriers, program->n_parts, 0};
    for (int i = 0; i < program->encoder.n_steps; i++) {
        const ms_vulkan_step *step = &program->encoder.steps[i];
        for (int j = 0; j < step->n_accesses; j++)
            out->operand_bytes +=
                (double)step->accesses[j].size_bytes * (step->accesses[j].read + step->accesses[j].write);
    }
}

void ms_vulkan_program_set_timing(ms_backend_program *program, bool on) {
    program->timing = on;
    memset(program->n_timed, 0, sizeof program->n_timed);
    memset(program->seconds, 0, sizeof program->seconds);
}

void ms_vulkan_program_get_times(const ms_backend_program *program, ms_op_time *out) {
    for (int i = 0; i < MS_OP_COUNT; i++)
        out[i] = (ms_op_time){ms_op_get((ms_op)i)->name, program->n_timed[i], program->seconds[i]};
}
