/* A program on the CPU: the calls of its list in order, each by its kernel. */
#include <stdlib.h>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_widen.h"
#include "platform/clock.h"

struct ms_backend_program {
    ms_backend_device *device;          /* borrowed */
    ms_call_list *calls;                /* borrowed; addresses are filled in here */
    const ms_backend_buffer *variables; /* borrowed: their memory */
    size_t workspace_bytes;             /* of the hungriest call */
    const void *arena;                  /* that the addresses are in; NULL: not resolved yet */
};

ms_status ms_cpu_program_create(ms_backend_device *device, const ms_compile_request *request,
                                ms_backend_program **out) {
    *out = NULL;
    ms_backend_program *program = calloc(1, sizeof *program);
    if (!program) return MS_FAIL(MS_OUT_OF_MEMORY, "cpu: no memory for a program");
    program->device = device;
    program->calls = request->calls;
    program->variables = request->variables;
    for (int32_t i = 0; i < request->calls->n_calls; i++) {
        ms_cpu_call call = ms_cpu_call_of(&request->calls->calls[i], device->pool);
        ms_cpu_kernel_entry kernel = ms_cpu_kernel_find(device->level, device->numerics, call.op);
        size_t workspace = ms_cpu_kernel_workspace(&kernel, &call);
        if (workspace > program->workspace_bytes) program->workspace_bytes = workspace;
    }
    *out = program;
    return MS_OK;
}

void ms_cpu_program_destroy(ms_backend_program *program) { free(program); }

static ms_status run_call(const ms_backend_program *program, const ms_op_call *resolved) {
    const ms_backend_device *device = program->device;
    int32_t step_scalars = program->calls->step_scalars;
    ms_cpu_call call = ms_cpu_call_of(resolved, device->pool);
    if (step_scalars >= 0) call.step_scalars = program->variables[step_scalars];
    call.workspace = device->workspace;
    ms_cpu_kernel_entry kernel = ms_cpu_kernel_find(device->level, device->numerics, call.op);
    ms_status status = ms_cpu_kernel_run(&kernel, &call);
    return status == MS_OK ? MS_OK : ms_op_call_note(status, resolved);
}

ms_status ms_cpu_program_run(ms_backend_program *program) {
    ms_call_list *list = program->calls;
    /* Allocated at the first run, so that a program can be compiled only to learn what it would need. */
    MS_TRY(ms_cpu_device_reserve(program->device, list->arena_bytes, program->workspace_bytes));
    /* Another program's compilation may have moved the arena since the last run. */
    if (!program->arena || program->arena != program->device->arena)
        ms_call_list_resolve(list, program->variables, program->device->arena);
    program->arena = program->device->arena;
    for (int32_t i = 0; i < list->n_calls; i++) {
        double begin = list->times.on ? ms_clock_seconds() : 0;
        MS_TRY(run_call(program, &list->calls[i]));
        if (list->times.on) ms_op_times_add(&list->times, list->calls[i].op, ms_clock_seconds() - begin);
    }
    return MS_OK;
}

size_t ms_cpu_program_workspace_bytes(const ms_backend_program *program) { return program->workspace_bytes; }

void ms_cpu_program_counts(const ms_backend_program *program, ms_program_counts *out) {
    *out = (ms_program_counts){.n_dispatches = program->calls->n_calls, .n_submissions = 1};
}
