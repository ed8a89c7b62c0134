/* rms_norm_grad: per row (norm.h): dx = acc + ((dy gain) - (x rstd) s) rstd with s = mean((dy gain) (x rstd));
   dgain[c] = sum over rows of dy (x rstd), by the reduction rule over the row index.
   Inputs x [N,C], gain [C], rstd [N], dy [N,C], acc [N,C] (optional); dx [N,C] may be acc; dgain [C]. */
#include "backend/cpu/norm.h"
#include "backend/cpu/share.h"

typedef struct rms_norm_grad_job {
    const real *x, *gain, *rstd, *dy, *acc; /* acc NULL: absent */
    real *dx, *lanes;
    int64_t rows, columns;
    real inverse_count;
} rms_norm_grad_job;

static void dgain_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const rms_norm_grad_job *job = context;
    int64_t columns = job->columns;
    ms_lane_range range = ms_lane_rows(i_task, job->rows);
    for (int64_t begin = range.begin; begin < range.end; begin += MS_LANES)
        for (int l = range.first_lane; l < range.first_lane + MS_GROUP_LANES && begin + l < range.end; l++) {
            const real *x = job->x + (begin + l) * columns, *dy = job->dy + (begin + l) * columns;
            real *sum = job->lanes + (range.lane_offset + l) * columns, rstd = job->rstd[begin + l];
            if (begin == range.begin) {
#pragma GCC ivdep
                for (int64_t c = 0; c < columns; c++) sum[c] = dy[c] * (x[c] * rstd);
            } else {
#pragma GCC ivdep
                for (int64_t c = 0; c < columns; c++) sum[c] = sum[c] + dy[c] * (x[c] * rstd);
            }
        }
}

static void dx_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const rms_norm_grad_job *job = context;
    int64_t columns = job->columns;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(columns), job->rows);
    for (int64_t n = range.begin; n < range.end; n++) {
        ms_norm_terms row = {job->x + n * columns, job->gain, job->dy + n * columns, job->rstd[n]};
        ms_norm_grad_row(&row, columns, job->inverse_count, job->acc ? job->acc + n * columns : NULL,
                         job->dx + n * columns);
    }
}

ms_status MS_KERNEL(rms_norm_grad)(const ms_cpu_call *call) {
    const ms_shape *shape = &call->in[0].shape;
    rms_norm_grad_job job = {0};
    job.x = call->in[0].data, job.gain = call->in[1].data, job.rstd = call->in[2].data;
    job.dy = call->in[3].data, job.acc = call->in[4].data;
    job.dx = call->out[0].data, job.lanes = call->workspace;
    job.rows = shape->dim[0], job.columns = shape->dim[1];
    job.inverse_count = ms_reciprocal((real)job.columns);
    if (ms_is_given(&call->out[1])) {
        ms_pool_run(call->pool, ms_block_count(job.rows) * MS_LANE_GROUPS, dgain_task, &job);
        ms_reduce_lanes(job.lanes, job.rows, job.columns, call->out[1].data);
    }
    if (job.dx) ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), dx_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(rms_norm_grad)(const ms_cpu_call *call) {
    return ms_lanes_bytes(call->in[0].shape.dim[0], call->in[0].shape.dim[1]);
}
