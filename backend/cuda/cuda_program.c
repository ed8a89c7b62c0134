/* Programs on CUDA: the nodes of a graph in order, launched one by one at the first run, then captured into one CUDA
   graph (addresses are known then), which is launched as a whole at every later run. */
#include "backend/cuda/cuda_program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda_device.h"
#include "platform/environment.h"

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

struct ms_backend_program {
    ms_backend_device *device; /* borrowed */
    ms_call_list *calls;       /* borrowed; addresses are filled in here, and times added */
    ms_cuda_buffer **written;  /* [calls->n_written] what a run writes; NULL: compiled for an estimate, never run */
    void **variables;          /* [calls->n_variables] device addresses; NULL likewise */
    ms_node_table table;
    size_t workspace_bytes;
    cudaGraphExec_t executable;
    size_t n_graph_nodes;
    uint64_t generation; /* of the device's arena when captured; 0: not captured */
    bool has_run;        /* outside of any capture: its kernels are loaded and its algorithms chosen */
    cudaEvent_t *events; /* [n_calls + 1], while timing */
};

static ms_cuda_call call_of(ms_backend_program *program, int32_t i) {
    const ms_backend_device *device = program->device;
    ms_op_call *resolved = &program->calls->calls[i];
    int32_t step_scalars = program->calls->step_scalars;
    return (ms_cuda_call){.op = resolved->op,
                          .attributes = &resolved->attributes,
                          .in = resolved->in,
                          .out = resolved->out,
                          .gemm = &resolved->gemm,
                          .step_scalars =
                              program->variables && step_scalars >= 0 ? program->variables[step_scalars] : NULL,
                          .workspace = device->arena.workspace,
                          .numerics = device->numerics,
                          .stream = device->context.stream,
                          .limits = &device->context.limits,
                          .blas = device->blas,
                          .fault = device->report.fault_on_device,
                          .node = program->table.first + (unsigned int)i,
                          .fault_limit = &resolved->fault_limit};
}

static ms_status check_count(const ms_op_call *call, const ms_operand *operand) {
    if (operand->count <= INT32_MAX) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED, "cuda: %s: an operand of %lld elements, at most 2^31 - 1 are possible",
                   ms_op_get(call->op)->name, (long long)operand->count);
}

static ms_status prepare_call(ms_backend_program *program, int32_t i) {
    const ms_op_call *resolved = &program->calls->calls[i];
    for (int j = 0; j < MS_MAX_INPUTS; j++) MS_TRY(check_count(resolved, &resolved->in[j]));
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) MS_TRY(check_count(resolved, &resolved->out[k]));
    ms_cuda_call call = call_of(program, i);
    size_t workspace = kernels[call.op].workspace(&call);
    if (workspace > program->workspace_bytes) program->workspace_bytes = workspace;
    return MS_OK;
}

static ms_status find_variables(ms_backend_program *program, const ms_backend_buffer *buffers) {
    const ms_call_list *list = program->calls;
    program->variables = calloc((size_t)list->n_variables + 1, sizeof *program->variables);
    program->written = calloc((size_t)list->n_written + 1, sizeof *program->written);
    if (!program->variables || !program->written)
        return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for a program of %d variables", list->n_variables);
    for (int32_t i = 0; i < list->n_variables; i++)
        program->variables[i] = ((const ms_cuda_buffer *)buffers[i])->memory;
    for (int32_t i = 0; i < list->n_written; i++) program->written[i] = buffers[list->written[i]];
    return MS_OK;
}

static ms_status prepare(ms_backend_program *program, const ms_backend_buffer *buffers) {
    ms_call_list *list = program->calls;
    if (buffers) MS_TRY(find_variables(program, buffers));
    for (int32_t i = 0; i < list->n_calls; i++) MS_TRY(prepare_call(program, i));
    /* Now rather than at the first step; which memory it is may still change with a larger program. */
    return buffers ? ms_cuda_arena_reserve(&program->device->arena, list->arena_bytes, program->workspace_bytes)
                   : MS_OK;
}

ms_status ms_cuda_program_create(ms_backend_device *device, const ms_compile_request *request,
                                 ms_backend_program **out) {
    *out = NULL;
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for a program");
    program->device = device;
    program->calls = request->calls;
    program->table.calls = request->calls;
    ms_node_tables_add(&device->report.nodes, &program->table);
    ms_status status = prepare(program, request->variables);
    if (status != MS_OK) {
        ms_cuda_program_destroy(program);
        return status;
    }
    *out = program;
    return MS_OK;
}

static void drop_events(ms_backend_program *program) {
    for (int i = 0; program->events && i <= program->calls->n_calls; i++)
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
    free(program->variables);
    free(program->written);
    free(program);
}

static ms_status launch(ms_backend_program *program, int32_t i) {
    ms_cuda_call call = call_of(program, i);
    ms_status status = kernels[call.op].run(&call);
    return status == MS_OK ? MS_OK : ms_op_call_note(status, &program->calls->calls[i]);
}

/* Another program may have moved the arena since the last run. */
static void resolve(ms_backend_program *program) {
    ms_call_list_resolve(program->calls, program->variables, program->device->arena.arena);
}

static ms_status launch_all(ms_backend_program *program) {
    resolve(program);
    for (int i = 0; i < program->calls->n_calls; i++) MS_TRY(launch(program, i));
    return MS_OK;
}

static ms_status instantiate(ms_backend_program *program, cudaGraph_t graph) {
    MS_TRY(ms_cuda_check(&program->device->context, cudaGraphGetNodes(graph, NULL, &program->n_graph_nodes),
                         "counting nodes"));
    return ms_cuda_check(&program->device->context, cudaGraphInstantiate(&program->executable, graph, 0),
                         "instantiating a graph");
}

/* Relaxed: what a capture can never hold (waits, copies to the host) is refused in every mode. */
static ms_status capture_calls(ms_backend_program *program) {
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

static ms_status capture(ms_backend_program *program) {
    drop_graph(program);
    ms_status status = capture_calls(program);
    if (status == MS_OK) return MS_OK;
    return ms_status_note(status, "capturing a program; MUONSCOPE_CUDA_SYNC=1 runs it without, slowly");
}

/* The first use of a kernel loads it, and of a matmul's shape makes cuBLASLt choose: a capture may forbid that, and
   what it has begun cannot be taken back.  So the first run is plain launches, and the capture follows, for the runs to
   come. */
static ms_status run_first(ms_backend_program *program) {
    MS_TRY(launch_all(program));
    program->has_run = true;
    return capture(program);
}

static ms_status make_events(ms_backend_program *program) {
    if (program->events) return MS_OK;
    program->events = calloc((size_t)program->calls->n_calls + 1, sizeof *program->events);
    if (!program->events) return MS_FAIL(MS_OUT_OF_MEMORY, "cuda: no host memory for events");
    for (int i = 0; i <= program->calls->n_calls; i++)
        MS_TRY(ms_cuda_check(&program->device->context, cudaEventCreateWithFlags(&program->events[i], cudaEventDefault),
                             "creating an event"));
    return MS_OK;
}

/* MUONSCOPE_CUDA_SYNC=1: every op is launched by itself and waited for, so that the one that fails is named. */
static bool wants_single_ops(void) { return ms_environment_is_on(MS_ENVIRONMENT_CUDA_SYNC); }

/* The operands' shapes are in the note: a fault on the device is told by the wait, not by the launch. */
static ms_status wait_for(const ms_backend_program *program, int32_t i) {
    const ms_op_call *call = &program->calls->calls[i];
    ms_status status =
        ms_cuda_check(&program->device->context, cudaStreamSynchronize(program->device->context.stream), "waiting");
    if (status == MS_OK) return MS_OK;
    char text[96], shapes[400];
    return ms_status_note(status, "%s:%s", ms_op_call_text(call, text, sizeof text),
                          ms_operands_text(call->in, call->out, shapes, sizeof shapes));
}

static ms_status run_single_ops(ms_backend_program *program) {
    resolve(program);
    for (int i = 0; i < program->calls->n_calls; i++) {
        MS_TRY(launch(program, i));
        MS_TRY(wait_for(program, i));
    }
    program->has_run = true;
    return ms_cuda_check_fault(&program->device->report);
}

/* One launch after the other with an event behind each.  Waiting only at the end keeps the host ahead of the device, so
   that its own latency is not counted. */
static ms_status run_timed(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    resolve(program);
    MS_TRY(make_events(program));
    MS_TRY(ms_cuda_check(&device->context, cudaEventRecord(program->events[0], device->context.stream),
                         "recording an event"));
    for (int i = 0; i < program->calls->n_calls; i++) {
        MS_TRY(launch(program, i));
        MS_TRY(ms_cuda_check(&device->context, cudaEventRecord(program->events[i + 1], device->context.stream),
                             "recording an event"));
    }
    MS_TRY(ms_cuda_check(&device->context, cudaEventSynchronize(program->events[program->calls->n_calls]),
                         "waiting for the device"));
    for (int i = 0; i < program->calls->n_calls; i++) {
        float milliseconds = 0;
        MS_TRY(ms_cuda_check(&device->context,
                             cudaEventElapsedTime(&milliseconds, program->events[i], program->events[i + 1]),
                             "reading an event"));
        ms_op_times_add(&program->calls->times, program->calls->calls[i].op, 1e-3 * (double)milliseconds);
    }
    program->has_run = true;
    return ms_cuda_check_fault(&device->report);
}

static ms_status run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    if (!program->calls->times.on) drop_events(program);
    if (wants_single_ops()) return run_single_ops(program);
    if (program->calls->times.on) return run_timed(program);
    if (!program->has_run) return run_first(program);
    if (program->generation != device->arena.generation) MS_TRY(capture(program));
    return ms_cuda_check(&device->context, cudaGraphLaunch(program->executable, device->context.stream),
                         "launching a graph");
}

ms_status ms_cuda_program_run(ms_backend_program *program) {
    ms_backend_device *device = program->device;
    MS_TRY(ms_cuda_use(&device->context));
    MS_TRY(ms_cuda_arena_reserve(&device->arena, program->calls->arena_bytes, program->workspace_bytes));
    MS_TRY(run(program));
    for (int i = 0; i < program->calls->n_written; i++)
        MS_TRY(ms_cuda_note_write(&device->context, program->written[i]));
    return MS_OK;
}

size_t ms_cuda_program_workspace_bytes(const ms_backend_program *program) { return program->workspace_bytes; }

static double call_bytes(const ms_op_call *call) {
    double bytes = 0;
    for (int i = 0; i < MS_MAX_INPUTS; i++) bytes += (double)ms_operand_bytes(&call->in[i]);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) bytes += (double)ms_operand_bytes(&call->out[k]);
    return bytes;
}

void ms_cuda_program_counts(const ms_backend_program *program, ms_program_counts *out) {
    int32_t n = (int32_t)program->n_graph_nodes;
    /* One after the other, as they were captured. */
    *out = (ms_program_counts){.n_dispatches = n, .n_barriers = n > 0 ? n - 1 : 0, .n_submissions = 1};
    for (int i = 0; i < program->calls->n_calls; i++) out->operand_bytes += call_bytes(&program->calls->calls[i]);
}
