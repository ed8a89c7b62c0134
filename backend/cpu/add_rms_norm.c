/* add_rms_norm: s = x0 + x1, then y, rstd = rms_norm(s, gain); all [N,C]; s may be x0 and y may be x1. */
#include "backend/cpu/norm.h"
#include "backend/cpu/share.h"

typedef struct add_rms_norm_job {
    const real *x0, *x1, *gain;
    real *sum, *y, *rstd; /* NULL: not wanted */
    real *scratch;        /* [threads, columns], used when the sum is not wanted */
    int64_t rows, columns;
    real inverse_count, epsilon;
} add_rms_norm_job;

static void add_rms_norm_task(void *context, int64_t i_task, int i_thread) {
    const add_rms_norm_job *job = context;
    int64_t columns = job->columns;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(columns), job->rows);
    for (int64_t n = range.begin; n < range.end; n++) {
        const real *x0 = job->x0 + n * columns, *x1 = job->x1 + n * columns;
        real *sum = job->sum ? job->sum + n * columns : job->scratch + i_thread * columns;
#pragma GCC ivdep
        for (int64_t c = 0; c < columns; c++) sum[c] = x0[c] + x1[c];
        if (!job->y && !job->rstd) continue;
        real rstd = ms_norm_rstd(sum, columns, job->inverse_count, job->epsilon);
        if (job->rstd) job->rstd[n] = rstd;
        if (job->y) ms_norm_apply(sum, job->gain, rstd, columns, job->y + n * columns);
    }
}

ms_status MS_KERNEL(add_rms_norm)(const ms_cpu_call *call) {
    const ms_shape *shape = &call->in[0].shape;
    add_rms_norm_job job = {0};
    job.x0 = call->in[0].data, job.x1 = call->in[1].data, job.gain = call->in[2].data;
    job.sum = call->out[0].data, job.y = call->out[1].data, job.rstd = call->out[2].data;
    job.scratch = call->workspace;
    job.rows = shape->dim[0], job.columns = shape->dim[1];
    job.inverse_count = ms_reciprocal((real)job.columns);
    job.epsilon = (real)call->attributes->norm.epsilon;
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), add_rms_norm_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(add_rms_norm)(const ms_cpu_call *call) {
    return (size_t)(ms_pool_size(call->pool) * call->in[0].shape.dim[1]) * sizeof(real);
}
