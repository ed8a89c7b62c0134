/* mul: y = x0 * x1 elementwise; x1 may be one number; y may be x0. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct mul_job {
    const real *x0, *x1;
    real *y;
    int64_t count;
    bool is_scalar; /* x1 is one number */
} mul_job;

static void mul_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const mul_job *job = context;
    const real *x0 = job->x0, *x1 = job->x1;
    real *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    if (job->is_scalar) {
        real factor = x1[0];
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) y[i] = ms_formula_mul(x0[i], factor);
    } else {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) y[i] = ms_formula_mul(x0[i], x1[i]);
    }
}

ms_status MS_KERNEL(mul)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    mul_job job = {call->in[0].data, call->in[1].data, call->out[0].data, ms_shape_count(&call->out[0].shape), false};
    job.is_scalar = ms_shape_count(&call->in[1].shape) == 1;
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), mul_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(mul)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
