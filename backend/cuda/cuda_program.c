/* Programs on CUDA: the nodes of a graph in order, captured into one CUDA graph at the first run (addresses are known
   then) and launched as a whole at every run. */
#include "backend/cuda/cuda_program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda_device.h"

/* A primitive or free op without a kernel does not link; composites never reach a program. */
typedef struct kernel_entry {
    ms_cuda_kernel run;
    ms_cuda_workspace workspace;
} kernel_entry;
#define ENTRY_PRIMITIVE(lower)                                                                                         \
    { ms_cuda_##lower, ms_cuda_##lower##_workspace }
#define ENTRY_ELEMENTWISE(lower)                                                                                       \
    { ms_cuda_##lower, ms_cuda_##lower##_workspace }
#define ENTRY_FREE(lower)                                                                                              \
    { ms_cuda_##lower, ms_cuda_##lower##_workspace }
#define ENTRY_COMPOSITE(lower)                                                                                         \
    { NULL, NULL }
static const kernel_entry kernels[MS_OP_COUNT] = {
#define OP(upper, lower, kind, ...) ENTRY_##kind(lower),
#include "backend/ir/ops.def"
#undef OP
};

/* Variables have fixed addresses; the arena may still move. */
typedef struct operand_place {
    char *variable; /* base address, or NULL: in the arena */
    int64_t offset; /* -1: absent */
} operand_place;

typedef struct program_call {
    ms_cuda_call call;
    ms_attributes attributes; /* what call.attributes points to */
    operand_place in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
} program_call;

struct ms_backend_program {
    ms_backend_device *device; /* borrowed */
    ms_node_table table;
    program_call *calls;      /* [table.n_nodes] */
    ms_cuda_buffer **written; /* [n_written] variables that a run writes */
    int n_written;
    size_t arena_bytes, workspace_bytes;
    bool is_estimate; /* compiled without variables: cannot run */
    cudaGraphExec_t executable;
    size_t n_graph_nodes;
    uint64_t generation; /* of the device's arena when captured; 0: not captured */
    bool timing;
    cudaEvent_t *events; /* [table.n_nodes + 1], while timing */
    int64_t n_timed[MS_OP_COUNT];
    double seconds[MS_OP_COUNT];
};

/* NULL when a program is compiled only for an estimate. */
static void *variable_memory(const ms_compile_request *request, int variable) {
    const ms_cuda_buffer *buffer = request->variables[variable];
    return buffer ? buffer->memory : NULL;
}

static void set_operand(const ms_compile_request *request, ms_tensor tensor, ms_cuda_operand *operand,
                        operand_place *place) {
    memset(operand, 0, sizeof *operand);
    *place = (operand_place){NULL, -1};
    if (tensor == MS_NO_TENSOR) return;
    const ms_tensor_info *info = ms_graph_tensor(request->graph, tensor);
    const ms_place *planned = &request->plan->places[tensor];
    operand->dtype = info->dtype;
    operand->shape = info->shape;
    operand->count = ms_shape_count(&info->shape);
    place->offset = planned->offset;
    if (planned->variable >= 0) place->variable = variable_memory(request, planned->variable);
}

static ms_status set_call(ms_backend_program *program, const ms_compile_request *request, int i_node) {
    const ms_node *node = ms_graph_node(request->graph, i_node);
    program_call *item = &program->calls[i_node];
    ms_node_entry *entry = &program->table.entries[i_node];
    ms_cuda_call *call = &item->call;
    item->attributes = node->attributes;
    *entry = (ms_node_entry){node->op, node->block, 0};
    call->op = node->op;
    call->attributes = &item->attributes;
    call->numerics = program->device->numerics;
    call->stream = program->device->context.stream;
    call->limits = &program->device->context.limits;
    call->blas = program->device->blas;
    call->fault = program->device->report.fault_on_device;
    call->node = program->table.first + (unsigned int)i_node;
    call->fault_limit = &entry->fault_limit;
    int step_scalars = ms_graph_step_scalars(request->graph);
    if (step_scalars >= 0) call->step_scalars = variable_memory(request, step_scalars);
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        set_operand(request, i < node->n_inputs ? node->inputs[i] : MS_NO_TENSOR, &call->in[i], &item->in[i]);
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        set_operand(request, i < node->n_outputs ? node->outputs[i] : MS_NO_TENSOR, &call->out[i], &item->out[i]);
    for (int i = 0; i < MS_MAX_INPUTS + MS_MAX_OUTPUTS; i++) {
        int64_t count = i < MS_MAX_INPUTS ? call->in[i].count : call->out[i - MS_MAX_INPUTS].count;
        if (count > INT32_MAX)
            return MS_FAIL(MS_UNSUPPORTED, "cuda: %s: an operand of %lld elements, at most 2^31 - 1 are possible",
                           ms_op_get(node->op)->name, (long long)count);
    }
    size_t workspace = kernels[node->op].workspace(call);
    if (workspace > program->workspace_bytes) program->workspace_bytes = workspace;
    return MS_OK;
}

static ms_status find_written(ms_backend_program *program, const ms_compile_request *request) {
    int n_variables = ms_variables_count(ms_graph_variables(request->graph));
    bool *is_written = calloc((size_t)n_variables + 1, sizeof *is_written);
    program->written = calloc((size_t)n_variables + 1, sizeof *program->written);
    if (is_written && program->written) {
        ms_plan_find_written(request->graph, request->plan, is_written);
        for (int i = 0; i < n_variables; i++)
            if (is_written[i]) program->written[program->n_written++] = request->variables[i];
    }
    free(is_written);
    return program->written && is_written ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for a program");
}

ms_status ms_cuda_program_create(ms_backend_device *device, const ms_compile_request *request,
                                 ms_backend_program **out) {
    *out = NULL;
    int n_nodes = ms_graph_n_nodes(request->graph);
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for a program");
    program->device = device;
    program->arena_bytes = request->plan->arena_bytes;
    program->table.n_nodes = n_nodes;
    ms_node_tables_add(&device->report.nodes, &program->table);
    program->is_estimate = ms_variables_count(ms_graph_variables(request->graph)) > 0 && !request->variables[0];
    program->calls = calloc((size_t)n_nodes + 1, sizeof *program->calls);
    program->table.entries = calloc((size_t)n_nodes + 1, sizeof *program->table.entries);
    ms_status status = MS_OK;
    if (!program->calls || !program->table.entries)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for a program of %d nodes", n_nodes);
    for (int i = 0; status == MS_OK && i < n_nodes; i++) status = set_call(program, request, i);
    if (status == MS_OK && !program->is_estimate) status = find_written(program, request);
    /* Now rather than at the first step; which memory it is may still change with a larger program. */
    if (status == MS_OK && !program->is_estimate)
        status = ms_cuda_arena_reserve(&device->arena, program->arena_bytes, program->workspace_bytes);
    if (status != MS_OK) {
        ms_cuda_program_destroy(program);
        return status;
    }
    *out = program;
    return MS_OK;
}

static void drop_events(ms_backend_program *program) {
    for (int i = 0; program->events && i <= program->table.n_nodes; i++)
        if (program->events[i]) (void)cudaEventDestroy(program->events[i]);
    free(program->events);
    program->events = NULL;
}

static void drop_graph(ms_backend_program *program) {
    if (program->executable) (void)cudaGraphExecDestroy(program->executable);
    program->executable = NULL;
    program->generation = 0;
}

void ms_cuda_program_destroy(ms_backend_program *program) {
    if (!program) return;
    ms_backend_device *device = program->device;
    /* An error was or will be told to whoever waits for results; here only the end matters. */
    (void)cudaSetDevice(device->context.index);
    if (!device->context.lost) (void)cudaStreamSynchronize(device->context.stream);
    drop_graph(program);
    drop_events(program);
    ms_node_tables_remove(&device->report.nodes, &program->table);
    free(program->table.entries);
    free(program->calls);
    free(program->written);
    free(program);
}

static void resolve(operand_place place, const ms_backend_device *device, ms_cuda_operand *operand) {
    operand->data = NULL;
    if (place.offset < 0) return;
    operand->data = (place.variable ? place.variable : (char *)device->arena.arena) + place.offset;
}

static ms_status launch(ms_backend_program *program, int i) {
    program_call *item = &program->calls[i];
    for (int j = 0; j < MS_MAX_INPUTS; j++) resolve(item->in[j], program->device, &item->call.in[j]);
    for (int j = 0; j < MS_MAX_OUTPUTS; j++) resolve(item->out[j], program->device, &item->call.out[j]);
    item->call.workspace = program->device->arena.workspace;
    MS_TRY_NOTE(kernels[item->call.op].run(&item->call), "%s (node %d, block %d)", ms_op_get(item->call.op)->name, i,
                (int)program->table.entries[i].block);
    return MS_OK;
}

static ms_status launch_all(ms_backend_program *program) {
    for (int i = 0; i < program->table.n_nodes; i++) MS_TRY(launch(program, i));
    return MS_OK;
}

static ms_status instantiate(ms_backend_program *program, cudaGraph_t graph) {
    MS_TRY(ms_cuda_check(&program->device->context, cudaGraphGetNodes(graph, NULL, &program->n_graph_nodes),
                         "counting nodes"));
    return ms_cuda_check(&program->device->context, cudaGraphInstantiate(&program->executable, graph, 0),
                         "instantiating a graph");
}

/* Relaxed: the first launch of a kernel loads it, which stricter modes may forbid within a capture.  What a capture can
   never hold (waits, copies to the host) is refused in every mode. */
static ms_status capture(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    cudaGraph_t graph = NULL;
    MS_TRY(ms_cuda_check(&device->context, cudaStreamBeginCapture(device->context.stream, cudaStreamCaptureModeRelaxed),
                         "beginning a capture"));
    ms_status status = launch_all(program);
    /* The capture must end even when a launch failed; its own error is then the lesser one. */
    cudaError_t error = cudaStreamEndCapture(device->context.stream, &graph);
    if (status == MS_OK) status = ms_cuda_check(&device->context, error, "ending a capture");
    if (status == MS_OK) status = instantiate(program, graph);
    if (graph) (void)cudaGraphDestroy(graph);
    if (status == MS_OK) program->generation = device->arena.generation;
    return status;
}

static ms_status make_events(ms_backend_program *program) {
    if (program->events) return MS_OK;
    program->events = calloc((size_t)program->table.n_nodes + 1, sizeof *program->events);
    if (!program->events) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for events");
    for (int i = 0; i <= program->table.n_nodes; i++)
        MS_TRY(ms_cuda_check(&program->device->context, cudaEventCreateWithFlags(&program->events[i], cudaEventDefault),
                             "creating an event"));
    return MS_OK;
}

/* MUONSCOPE_CUDA_SYNC=1: every op is launched by itself and waited for, so that the one that fails is named. */
static bool wants_single_ops(void) {
    const char *value = getenv("MUONSCOPE_CUDA_SYNC");
    return value && *value && strcmp(value, "0") != 0;
}

/* The operands' shapes are in the note: a fault on the device is told by the wait, not by the launch. */
static ms_status wait_for(const ms_backend_program *program, int i) {
    const ms_cuda_call *call = &program->calls[i].call;
    ms_status status =
        ms_cuda_check(&program->device->context, cudaStreamSynchronize(program->device->context.stream), "waiting");
    if (status == MS_OK) return MS_OK;
    char shapes[400];
    ms_cuda_shapes_text(call, shapes, sizeof shapes);
    return ms_status_note(status, "%s (node %d, block %d):%s", ms_op_get(call->op)->name, i,
                          (int)program->table.entries[i].block, shapes);
}

static ms_status run_single_ops(ms_backend_program *program) {
    for (int i = 0; i < program->table.n_nodes; i++) {
        MS_TRY(launch(program, i));
        MS_TRY(wait_for(program, i));
    }
    return ms_cuda_check_fault(&program->device->report);
}

/* One launch after the other with an event behind each.  Waiting only at the end keeps the host ahead of the device, so
   that its own latency is not counted. */
static ms_status run_timed(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    MS_TRY(make_events(program));
    MS_TRY(ms_cuda_check(&device->context, cudaEventRecord(program->events[0], device->context.stream),
                         "recording an event"));
    for (int i = 0; i < program->table.n_nodes; i++) {
        MS_TRY(launch(program, i));
        MS_TRY(ms_cuda_check(&device->context, cudaEventRecord(program->events[i + 1], device->context.stream),
                             "recording an event"));
    }
    MS_TRY(ms_cuda_check(&device->context, cudaEventSynchronize(program->events[program->table.n_nodes]),
                         "waiting for the device"));
    for (int i = 0; i < program->table.n_nodes; i++) {
        float milliseconds = 0;
        MS_TRY(ms_cuda_check(&device->context,
                             cudaEventElapsedTime(&milliseconds, program->events[i], program->events[i + 1]),
                             "reading an event"));
        program->seconds[program->calls[i].call.op] += 1e-3 * (double)milliseconds;
        program->n_timed[program->calls[i].call.op]++;
    }
    return ms_cuda_check_fault(&device->report);
}

static ms_status run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (wants_single_ops()) return run_single_ops(program);
    if (program->timing) return run_timed(program);
    if (program->generation != device->arena.generation) {
        drop_graph(program);
        MS_TRY(capture(program));
    }
    return ms_cuda_check(&device->context, cudaGraphLaunch(program->executable, device->context.stream),
                         "launching a graph");
}

ms_status ms_cuda_program_run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (program->is_estimate)
        return MS_FAIL(MS_INTERNAL, "cuda: a program that was compiled for an estimate cannot run");
    MS_TRY(ms_cuda_use(&device->context));
    MS_TRY(ms_cuda_arena_reserve(&device->arena, program->arena_bytes, program->workspace_bytes));
    MS_TRY(run(program));
    for (int i = 0; i < program->n_written; i++) MS_TRY(ms_cuda_note_write(&device->context, program->written[i]));
    return MS_OK;
}

size_t ms_cuda_program_workspace_bytes(const ms_backend_program *program) { return program->workspace_bytes; }

static double call_bytes(const ms_cuda_call *call) {
    double bytes = 0;
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        bytes += (double)call->in[i].count * (double)ms_dtype_size(call->in[i].dtype);
    for (int i = 0; i < MS_MAX_OUTPUTS; i++)
        bytes += (double)call->out[i].count * (double)ms_dtype_size(call->out[i].dtype);
    return bytes;
}

void ms_cuda_program_counts(const ms_backend_program *program, ms_program_counts *out) {
    int32_t n = (int32_t)program->n_graph_nodes;
    /* One after the other, as they were captured. */
    *out = (ms_program_counts){.n_dispatches = n, .n_barriers = n > 0 ? n - 1 : 0, .n_submissions = 1};
    for (int i = 0; i < program->table.n_nodes; i++) out->operand_bytes += call_bytes(&program->calls[i].call);
}

void ms_cuda_program_set_timing(ms_backend_program *program, bool on) {
    program->timing = on;
    if (!on) drop_events(program);
    memset(program->n_timed, 0, sizeof program->n_timed);
    memset(program->seconds, 0, sizeof program->seconds);
}

void ms_cuda_program_get_times(const ms_backend_program *program, ms_op_time *out) {
    for (int i = 0; i < MS_OP_COUNT; i++)
        out[i] = (ms_op_time){ms_op_get((ms_op)i)->name, program->n_timed[i], program->seconds[i]};
}
