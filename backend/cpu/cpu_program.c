/* A program on the CPU: the nodes of a finished graph in order, each with its kernel and resolved operands. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/cpu_widen.h"

/* A primitive or free op without a kernel does not link; composites never reach a program. */
#define ENTRY_PRIMITIVE(prefix, lower)                                                                                 \
    { prefix##lower, prefix##lower##_workspace }
#define ENTRY_ELEMENTWISE(prefix, lower)                                                                               \
    { prefix##lower, prefix##lower##_workspace }
#define ENTRY_FREE(prefix, lower)                                                                                      \
    { prefix##lower, prefix##lower##_workspace }
#define ENTRY_COMPOSITE(prefix, lower)                                                                                 \
    { NULL, NULL }

static const ms_cpu_kernel_entry exact_kernels[MS_OP_COUNT] = {
#define OP(upper, lower, kind, ...) ENTRY_##kind(ms_cpu_exact_, lower),
#include "backend/ir/ops.def"
#undef OP
};

static const ms_cpu_kernel_entry f64_kernels[MS_OP_COUNT] = {
#define OP(upper, lower, kind, ...) ENTRY_##kind(ms_cpu_f64_, lower),
#include "backend/ir/ops.def"
#undef OP
};

ms_cpu_kernel_entry ms_cpu_kernel_find(ms_numerics numerics, ms_op op) {
    if (numerics == MS_NUMERICS_ORACLE) return f64_kernels[op];
    if (numerics == MS_NUMERICS_FAST) {
        switch (op) {
#define X(upper, lower)                                                                                                \
    case MS_OP_##upper:                                                                                                \
        return (ms_cpu_kernel_entry){ms_cpu_fast_##lower, ms_cpu_fast_##lower##_workspace};
            MS_CPU_FAST_OPS(X)
#undef X
        default:
            break;
        }
    }
    return exact_kernels[op];
}

/* An operand's address: in a variable it is fixed, in the arena it is an offset, since the arena may still move. */
typedef struct operand_place {
    char *variable; /* base address, or NULL: in the arena */
    int64_t offset; /* -1: absent */
} operand_place;

typedef struct program_call {
    ms_cpu_kernel_entry kernel;
    ms_cpu_call call;
    operand_place in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    int32_t block; /* for messages */
} program_call;

struct ms_backend_program {
    ms_backend_device *device; /* borrowed */
    program_call *calls;
    ms_attributes *attributes; /* [n_calls], what call.attributes points to */
    int n_calls;
    size_t arena_bytes, workspace_bytes;
    const void *arena_resolved; /* arena address that the operands point into */
    bool timing;
    int64_t n_timed[MS_OP_COUNT];
    double seconds[MS_OP_COUNT];
};

static void set_operand(const ms_compile_request *request, ms_tensor tensor, ms_cpu_operand *operand,
                        operand_place *place) {
    *operand = (ms_cpu_operand){0};
    *place = (operand_place){NULL, -1};
    if (tensor == MS_NO_TENSOR) return;
    const ms_tensor_info *info = ms_graph_tensor(request->graph, tensor);
    const ms_place *planned = &request->plan->places[tensor];
    operand->dtype = info->dtype;
    operand->shape = info->shape;
    place->offset = planned->offset;
    if (planned->variable >= 0) place->variable = request->variables[planned->variable];
}

static void resolve(operand_place place, const ms_backend_device *device, ms_cpu_operand *operand) {
    operand->data = NULL;
    if (place.offset < 0) return;
    operand->data = (place.variable ? place.variable : (char *)device->arena) + place.offset;
}

static void add_call(ms_backend_program *program, const ms_compile_request *request, const ms_node *node) {
    program_call *call = &program->calls[program->n_calls];
    ms_attributes *attributes = &program->attributes[program->n_calls];
    *attributes = node->attributes;
    ms_numerics numerics = program->device->numerics;
    call->kernel = ms_cpu_kernel_find(numerics, node->op);
    call->block = node->block;
    call->call.op = node->op;
    call->call.attributes = attributes;
    call->call.pool = program->device->pool;
    int step_scalars = ms_graph_step_scalars(request->graph);
    if (step_scalars >= 0) call->call.step_scalars = request->variables[step_scalars];
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        set_operand(request, i < node->n_inputs ? node->inputs[i] : MS_NO_TENSOR, &call->call.in[i], &call->in[i]);
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        set_operand(request, i < node->n_outputs ? node->outputs[i] : MS_NO_TENSOR, &call->call.out[i], &call->out[i]);
    size_t workspace = ms_cpu_kernel_workspace(&call->kernel, numerics, &call->call);
    if (workspace > program->workspace_bytes) program->workspace_bytes = workspace;
    program->n_calls++;
}

ms_status ms_cpu_program_create(ms_backend_device *device, const ms_compile_request *request,
                                ms_backend_program **out) {
    *out = NULL;
    size_t n = (size_t)ms_graph_n_nodes(request->graph) + 1;
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory for a program");
    program->device = device;
    program->arena_bytes = request->plan->arena_bytes;
    program->calls = calloc(n, sizeof *program->calls);
    program->attributes = calloc(n, sizeof *program->attributes);
    ms_status status = MS_OK;
    if (!program->calls || !program->attributes)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory for a program of %zu nodes", n);
    for (int i = 0; status == MS_OK && i < ms_graph_n_nodes(request->graph); i++)
        add_call(program, request, ms_graph_node(request->graph, i));
    if (status != MS_OK) {
        ms_cpu_program_destroy(program);
        return status;
    }
    *out = program;
    return MS_OK;
}

void ms_cpu_program_destroy(ms_backend_program *program) {
    if (!program) return;
    free(program->calls);
    free(program->attributes);
    free(program);
}

/* Another program's compilation may have moved the arena since the last run. */
static void resolve_all(ms_backend_program *program) {
    for (int i = 0; i < program->n_calls; i++) {
        program_call *call = &program->calls[i];
        for (int j = 0; j < MS_MAX_INPUTS; j++) resolve(call->in[j], program->device, &call->call.in[j]);
        for (int j = 0; j < MS_MAX_OUTPUTS; j++) resolve(call->out[j], program->device, &call->call.out[j]);
    }
    program->arena_resolved = program->device->arena;
}

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

ms_status ms_cpu_program_run(ms_backend_program *program) {
    /* Allocated at the first run, so that a program can be compiled only to learn what it would need. */
    MS_TRY(ms_cpu_device_reserve(program->device, program->arena_bytes, program->workspace_bytes));
    if (!program->arena_resolved || program->arena_resolved != program->device->arena) resolve_all(program);
    for (int i = 0; i < program->n_calls; i++) {
        program_call *call = &program->calls[i];
        call->call.workspace = program->device->workspace;
        double begin = program->timing ? seconds_now() : 0;
        ms_status status = ms_cpu_kernel_run(&call->kernel, program->device->numerics, &call->call);
        if (status != MS_OK) return ms_status_note(status, "node %d, block %d", i, call->block);
        if (program->timing) {
            program->seconds[call->call.op] += seconds_now() - begin;
            program->n_timed[call->call.op]++;
        }
    }
    return MS_OK;
}

size_t ms_cpu_program_workspace_bytes(const ms_backend_program *program) { return program->workspace_bytes; }

void ms_cpu_program_counts(const ms_backend_program *program, ms_program_counts *out) {
    *out = (ms_program_counts){.n_dispatches = program->n_calls, .n_submissions = 1};
}

void ms_cpu_program_set_timing(ms_backend_program *program, bool on) {
    program->timing = on;
    memset(program->n_timed, 0, sizeof program->n_timed);
    memset(program->seconds, 0, sizeof program->seconds);
}

void ms_cpu_program_get_times(const ms_backend_program *program, ms_op_time *out) {
    for (int i = 0; i < MS_OP_COUNT; i++)
        out[i] = (ms_op_time){ms_op_get((ms_op)i)->name, program->n_timed[i], program->seconds[i]};
}
