/* Programs on Vulkan: a graph is encoded into dispatches when compiled, recorded into command buffers at its first run
   (addresses are known then), and submitted as it stands at every run. */
#include "backend/vulkan/vulkan_program.h"

#include <stdlib.h>

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

/* Without 16-bit storage elements of 2 bytes are halves of words that start with the operand. */
static ms_status check_operand(const ms_vulkan_call *call, const ms_operand *operand) {
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

static ms_status encode_call(ms_backend_program *program, ms_op_call *resolved) {
    ms_vulkan_call call = {.op = resolved->op,
                           .attributes = &resolved->attributes,
                           .in = resolved->in,
                           .out = resolved->out,
                           .gemm = &resolved->gemm,
                           .limits = &program->device->limits,
                           .encoder = &program->encoder};
    program->encoder.node = resolved->node;
    for (int i = 0; i < MS_MAX_INPUTS; i++) MS_TRY(check_operand(&call, &call.in[i]));
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) MS_TRY(check_operand(&call, &call.out[i]));
    int first_step = program->encoder.n_steps;
    ms_status status = encoders[call.op](&call);
    resolved->fault_limit = fault_limit_from(&program->encoder, first_step);
    return status == MS_OK ? MS_OK : ms_op_call_note(status, resolved);
}

ms_status ms_vulkan_program_create(ms_backend_device *device, const ms_compile_request *request,
                                   ms_backend_program **out) {
    *out = NULL;
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for a program");
    program->device = device;
    program->calls = request->calls;
    program->variables = request->variables;
    program->table.calls = request->calls;
    ms_node_tables_add(&device->report.nodes, &program->table);
    program->encoder.limits = &device->limits;
    program->encoder.first_node = program->table.first;
    for (int32_t i = 0; i < program->calls->n_calls; i++) {
        ms_status status = encode_call(program, &program->calls->calls[i]);
        if (status != MS_OK) {
            ms_vulkan_program_destroy(program);
            return status;
        }
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
    free(program->encoder.steps);
    free(program);
}

static ms_status add_times(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    size_t n = (size_t)program->calls->n_calls + 1;
    uint64_t *ticks = calloc(n, sizeof *ticks);
    if (!ticks) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %zu timestamps", n);
    VkResult result = device->context.call.vkGetQueryPoolResults(device->context.handle, program->queries, 0,
                                                                 (uint32_t)n, n * sizeof *ticks, ticks, sizeof *ticks,
                                                                 VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    double seconds_per_tick = 1e-9 * (double)device->context.gpu->properties.limits.timestampPeriod;
    uint32_t bits = device->context.gpu->timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    for (int i = 0; result == VK_SUCCESS && i < program->calls->n_calls; i++) {
        double seconds = (double)((ticks[i + 1] - ticks[i]) & mask) * seconds_per_tick;
        ms_op_times_add(&program->calls->times, program->calls->calls[i].op, seconds);
    }
    free(ticks);
    return ms_vulkan_status(result, "reading timestamps");
}

ms_status ms_vulkan_program_run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    MS_TRY(ms_vulkan_arena_reserve(&device->arena, program->calls->arena_bytes, program->encoder.workspace_bytes));
    if (program->generation != device->arena.generation || program->recorded_timing != program->calls->times.on) {
        MS_TRY(ms_vulkan_wait(&device->lanes, &device->lanes.work, program->table.last_value));
        ms_vulkan_record_finish(program);
        MS_TRY(ms_vulkan_record(program));
    }
    for (int i = 0; i < program->n_parts; i++) {
        ms_vulkan_note_part(&device->lanes, program->part_nodes[i].first, program->part_nodes[i].last);
        MS_TRY(ms_vulkan_submit(&device->lanes, &device->lanes.work, program->parts[i], 0, &program->table.last_value));
    }
    for (int i = 0; i < program->calls->n_written; i++)
        ms_vulkan_variable(program, program->calls->written[i])->written = program->table.last_value;
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
