/* rms_norm: rstd = rsqrt(sum(x^2) (1/C) + epsilon), y = (x rstd) gain; x, y [N,C], gain [C], rstd [N]; y may be x. */
#include "backend/cpu/norm.h"
#include "backend/cpu/share.h"

typedef struct rms_norm_job {
    const real *x, *gain;
    real *y, *rstd; /* NULL: not wanted */
    int64_t rows, columns;
    real inverse_count, epsilon;
} rms_norm_job;

static void rms_norm_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const rms_norm_job *job = context;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(job->columns), job->rows);
    for (int64_t n = range.begin; n < range.end; n++) {
        const real *x = job->x + n * job->columns;
        real rstd = ms_norm_rstd(x, job->columns, job->inverse_count, job->epsilon);
        if (job->rstd) job->rstd[n] = rstd;
        if (job->y) ms_norm_apply(x, job->gain, rstd, job->columns, job->y + n * job->columns);
    }
}

ms_status MS_KERNEL(rms_norm)(const ms_cpu_call *call) {
    const ms_shape *shape = &call->in[0].shape;
    rms_norm_job job = {
        call->in[0].data, call->in[1].data, call->out[0].data, call->out[1].data, shape->dim[0], shape->dim[1], 0, 0};
    job.inverse_count = ms_reciprocal((real)job.columns);
    job.epsilon = (real)call->attributes->norm.epsilon;
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), rms_norm_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(rms_norm)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
