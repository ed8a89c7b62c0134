/* qk_norm_rope_grad: du = transposed rotation of dy (rope.h); when normalised, dx is the RMS-norm gradient of du
   (norm.h) and dgain[d] = sum over tokens and heads of du (x rstd), by the reduction rule over the index n * heads +
   head; else dx = du. Inputs x [N,heads*D], table [sequence,D], rstd [N,heads], dy [N,heads*D], gain [D] (optional); dx
   [N,heads*D], dgain [D]. */
#include "backend/cpu/norm.h"
#include "backend/cpu/rope.h"
#include "backend/cpu/share.h"

typedef struct qk_norm_rope_grad_job {
    const real *x, *table, *rstd, *dy, *gain;
    real *dx;
    real *lanes;   /* [blocks, 32, D] */
    real *scratch; /* [threads, D]: one head's du */
    const ms_rope_attributes *rope;
    int64_t rows; /* N * heads */
    real inverse_count;
} qk_norm_rope_grad_job;

static void unrotate(const qk_norm_rope_grad_job *job, int64_t i, real *du) {
    const ms_rope_attributes *rope = job->rope;
    int64_t size = rope->head_size;
    const real *table = job->table + i / rope->heads % rope->sequence * size;
    ms_rope_transpose(job->dy + i * size, table, size, rope->interleaved, du);
}

static void dgain_task(void *context, int64_t i_task, int i_thread) {
    const qk_norm_rope_grad_job *job = context;
    int64_t size = job->rope->head_size;
    real *du = job->scratch + i_thread * size;
    ms_lane_range range = ms_lane_rows(i_task, job->rows);
    for (int64_t begin = range.begin; begin < range.end; begin += MS_LANES)
        for (int l = range.first_lane; l < range.first_lane + MS_GROUP_LANES && begin + l < range.end; l++) {
            const real *x = job->x + (begin + l) * size;
            real *sum = job->lanes + (range.lane_offset + l) * size, rstd = job->rstd[begin + l];
            unrotate(job, begin + l, du);
            if (begin == range.begin) {
#pragma GCC ivdep
                for (int64_t d = 0; d < size; d++) sum[d] = du[d] * (x[d] * rstd);
            } else {
#pragma GCC ivdep
                for (int64_t d = 0; d < size; d++) sum[d] = sum[d] + du[d] * (x[d] * rstd);
            }
        }
}

static void dx_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const qk_norm_rope_grad_job *job = context;
    int64_t size = job->rope->head_size;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(size), job->rows);
    for (int64_t i = range.begin; i < range.end; i++) {
        real *dx = job->dx + i * size;
        unrotate(job, i, dx);
        if (!job->rope->normalise) continue;
        ms_norm_terms row = {job->x + i * size, job->gain, dx, job->rstd[i]};
        ms_norm_grad_row(&row, size, job->inverse_count, NULL, dx);
    }
}

ms_status MS_KERNEL(qk_norm_rope_grad)(const ms_cpu_call *call) {
    qk_norm_rope_grad_job job = {0};
    job.x = call->in[0].data, job.table = call->in[1].data, job.rstd = call->in[2].data;
    job.dy = call->in[3].data, job.gain = call->in[4].data;
    job.dx = call->out[0].data;
    job.rope = &call->attributes->rope;
    job.rows = call->in[0].shape.dim[0] * job.rope->heads;
    job.scratch = call->workspace;
    job.lanes = job.scratch + (int64_t)ms_pool_size(call->pool) * job.rope->head_size;
    job.inverse_count = ms_reciprocal((real)job.rope->head_size);
    if (job.rope->normalise && ms_is_given(&call->out[1])) {
        ms_pool_run(call->pool, ms_block_count(job.rows) * MS_LANE_GROUPS, dgain_task, &job);
        ms_reduce_lanes(job.lanes, job.rows, job.rope->head_size, call->out[1].data);
    }
    if (job.dx) ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.rope->head_size)), dx_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(qk_norm_rope_grad)(const ms_cpu_call *call) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    size_t scratch = (size_t)ms_pool_size(call->pool) * (size_t)rope->head_size * sizeof(real);
    return scratch + ms_lanes_bytes(call->in[0].shape.dim[0] * rope->heads, rope->head_size);
}
