/* axpby: y = (a x0) + (b x1), or y = a x0 when x1 is absent; elementwise; y may be x0 or x1. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct axpby_job {
    const real *x0, *x1; /* x1 NULL: absent */
    real *y;
    real a, b;
    int64_t count;
} axpby_job;

static void axpby_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const axpby_job *job = context;
    const real *x0 = job->x0, *x1 = job->x1;
    real *y = job->y, a = job->a, b = job->b;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    if (x1) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) y[i] = ms_formula_axpby(a, x0[i], b, x1[i]);
    } else {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) y[i] = ms_formula_mul(a, x0[i]);
    }
}

ms_status MS_KERNEL(axpby)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    const ms_axpby_attributes *attributes = &call->attributes->axpby;
    axpby_job job = {call->in[0].data, call->in[1].data, call->out[0].data, 0, 0, ms_shape_count(&call->out[0].shape)};
    job.a = ms_coefficient_value(call, attributes->a);
    if (job.x1) job.b = ms_coefficient_value(call, attributes->b);
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), axpby_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(axpby)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
