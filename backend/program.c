/* Programs: a graph is planned, and its backend compiles it. */
#include <stdlib.h>
#include <string.h>

#include "backend/ir/passes.h"
#include "backend/store.h"

struct ms_program {
    ms_device *device;   /* borrowed */
    ms_call_list *calls; /* what the graph and its plan became; the backend's program uses it */
    ms_backend_program *program;
    ms_program_report report;
};

static ms_status check_finished(const ms_graph *graph) {
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_op_info *info = ms_op_get(ms_graph_node(graph, i)->op);
        if (info->kind == MS_OP_KIND_COMPOSITE)
            return MS_FAIL(MS_INVALID, "program: %s at node %d was not lowered (ms_graph_finish)", info->name, i);
    }
    return MS_OK;
}

/* Plans and compiles; buffers: one per variable, or NULL for an estimate. */
static ms_status compile(ms_device *device, const ms_backend_buffer *buffers, const ms_graph *graph, ms_program **out) {
    *out = NULL;
    MS_TRY(ms_graph_status(graph));
    MS_TRY(check_finished(graph));
    ms_plan plan = {0};
    ms_plan_options options = {.f32_bytes = device->impl->f32_bytes(device->device),
                               .alignment_bytes = 64,
                               .piece_bytes =
                                   device->impl->piece_bytes ? device->impl->piece_bytes(device->device) : 0};
    ms_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory");
    program->device = device;
    ms_status status = ms_plan_init(graph, &options, &plan);
    if (status == MS_OK) status = ms_call_list_create(graph, &plan, &program->calls);
    if (status == MS_OK) {
        ms_compile_request request = {program->calls, buffers};
        status = device->impl->compile(device->device, &request, &program->program);
    }
    if (status != MS_OK) {
        ms_plan_finish(&plan);
        ms_call_list_destroy(program->calls);
        free(program);
        return status;
    }
    ms_cost cost = ms_graph_cost(graph);
    program->report = (ms_program_report){
        .arena_bytes = plan.arena_bytes,
        .live_bytes = plan.live_bytes,
        .workspace_bytes = device->impl->workspace_bytes(program->program),
        .n_nodes = ms_graph_n_nodes(graph),
        .n_aliased = plan.n_aliased,
        .n_placed = plan.n_placed,
        .n_active = plan.n_active,
        .flops = cost.flops,
        .contraction_flops = cost.contraction_flops,
        .bytes = cost.bytes,
    };
    ms_plan_finish(&plan);
    *out = program;
    return MS_OK;
}

ms_status ms_program_compile(ms_store *store, const ms_graph *graph, ms_program **out) {
    *out = NULL;
    if (ms_graph_variables(graph) != store->variables)
        return MS_FAIL(MS_INVALID, "program: graph and store have different variables");
    return compile(store->device, store->buffers, graph, out);
}

ms_status ms_program_estimate(ms_device *device, const ms_graph *graph, ms_program_report *out) {
    memset(out, 0, sizeof *out);
    ms_program *program;
    MS_TRY(compile(device, NULL, graph, &program));
    *out = program->report;
    ms_program_destroy(program);
    return MS_OK;
}

void ms_program_destroy(ms_program *program) {
    if (!program) return;
    program->device->impl->program_destroy(program->program);
    ms_call_list_destroy(program->calls);
    free(program);
}

ms_status ms_program_run(ms_program *program) { return program->device->impl->run(program->program); }

void ms_program_get_report(const ms_program *program, ms_program_report *out) { *out = program->report; }

void ms_program_get_counts(const ms_program *program, ms_program_counts *out) {
    program->device->impl->counts(program->program, out);
}

void ms_program_set_timing(ms_program *program, bool on) { ms_op_times_set(&program->calls->times, on); }

void ms_program_get_times(const ms_program *program, ms_op_time *out) {
    const ms_op_times *times = &program->calls->times;
    for (int i = 0; i < MS_OP_COUNT; i++)
        out[i] = (ms_op_time){ms_op_get((ms_op)i)->name, times->n_calls[i], times->seconds[i]};
}
