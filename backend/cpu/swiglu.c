/* swiglu: y = (gate sigmoid(gate)) up; y may be gate or up.  Shazeer 2020. */
#include "backend/cpu/share.h"
#include "backend/cpu/sigmoid.h"

typedef struct swiglu_job {
    const real *gate, *up;
    real *y;
    int64_t count;
} swiglu_job;

static void swiglu_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const swiglu_job *job = context;
    const real *gate = job->gate, *up = job->up;
    real *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = (gate[i] * ms_sigmoid(gate[i])) * up[i];
}

ms_status MS_KERNEL(swiglu)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    swiglu_job job = {call->in[0].data, call->in[1].data, call->out[0].data, ms_shape_count(&call->out[0].shape)};
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), swiglu_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(swiglu)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
