/* qk_norm_rope: per head, RMS norm with gain when `normalise` (norm.h), then rotary embedding (rope.h) at position
   n mod sequence.  x, y [N,heads*D], table [sequence,D], gain [D], rstd [N,heads] (1 without normalisation); y may be
   x. */
#include "backend/cpu/norm.h"
#include "backend/cpu/rope.h"
#include "backend/cpu/share.h"

typedef struct qk_norm_rope_job {
    const real *x, *table, *gain;
    real *y, *rstd; /* NULL: not wanted */
    const ms_rope_attributes *rope;
    int64_t rows; /* N * heads */
    real inverse_count, epsilon;
} qk_norm_rope_job;

static void qk_norm_rope_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const qk_norm_rope_job *job = context;
    const ms_rope_attributes *rope = job->rope;
    int64_t size = rope->head_size;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(size), job->rows);
    for (int64_t i = range.begin; i < range.end; i++) {
        const real *x = job->x + i * size, *table = job->table + i / rope->heads % rope->sequence * size;
        real rstd = rope->normalise ? ms_norm_rstd(x, size, job->inverse_count, job->epsilon) : (real)1;
        if (job->rstd) job->rstd[i] = rstd;
        if (!job->y) continue;
        real *y = job->y + i * size;
        if (rope->normalise) {
            ms_norm_apply(x, job->gain, rstd, size, y);
            x = y;
        }
        ms_rope_apply(x, table, size, rope->interleaved, y);
    }
}

ms_status MS_KERNEL(qk_norm_rope)(const ms_cpu_call *call) {
    qk_norm_rope_job job = {0};
    job.x = call->in[0].data, job.table = call->in[1].data, job.gain = call->in[2].data;
    job.y = call->out[0].data, job.rstd = call->out[1].data;
    job.rope = &call->attributes->rope;
    job.rows = call->in[0].shape.dim[0] * job.rope->heads;
    job.inverse_count = ms_reciprocal((real)job.rope->head_size);
    job.epsilon = (real)job.rope->epsilon;
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.rope->head_size)), qk_norm_rope_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(qk_norm_rope)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
