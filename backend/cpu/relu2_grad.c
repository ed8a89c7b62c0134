/* relu2_grad: r = x < 0 ? 0 : x; dx = (2 r) dy; inputs x, dy; dx may be either. */
#include "backend/cpu/share.h"

typedef struct relu2_grad_job {
    const real *x, *dy;
    real *dx;
    int64_t count;
} relu2_grad_job;

static void relu2_grad_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const relu2_grad_job *job = context;
    const real *x = job->x, *dy = job->dy;
    real *dx = job->dx;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) {
        real r = x[i] < 0 ? (real)0 : x[i];
        dx[i] = (2 * r) * dy[i];
    }
}

ms_status MS_KERNEL(relu2_grad)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    relu2_grad_job job = {call->in[0].data, call->in[1].data, call->out[0].data, ms_shape_count(&call->out[0].shape)};
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), relu2_grad_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(relu2_grad)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
