/* relu2: r = x < 0 ? 0 : x (so NaN stays); y = r r; y may be x.  Primer (So et al. 2021). */
#include "backend/cpu/share.h"

typedef struct relu2_job {
    const real *x;
    real *y;
    int64_t count;
} relu2_job;

static void relu2_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const relu2_job *job = context;
    const real *x = job->x;
    real *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) {
        real r = x[i] < 0 ? (real)0 : x[i];
        y[i] = r * r;
    }
}

ms_status MS_KERNEL(relu2)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    relu2_job job = {call->in[0].data, call->out[0].data, ms_shape_count(&call->out[0].shape)};
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), relu2_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(relu2)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
