/* embed: y[n,:] = scale table[index[n],:]; table [V,C], index i32 [N], y [N,C].  MS_INVALID: an index outside of [0,
   V). */
#include "backend/cpu/share.h"

typedef struct embed_job {
    const real *table;
    const int32_t *index;
    real *y;
    int64_t rows, columns;
    real scale;
} embed_job;

static void embed_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const embed_job *job = context;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(job->columns), job->rows);
    for (int64_t n = range.begin; n < range.end; n++) {
        const real *row = job->table + job->index[n] * job->columns;
        real *y = job->y + n * job->columns, scale = job->scale;
#pragma GCC ivdep
        for (int64_t c = 0; c < job->columns; c++) y[c] = scale * row[c];
    }
}

ms_status MS_KERNEL(embed)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    int64_t vocabulary = call->in[0].shape.dim[0];
    embed_job job = {call->in[0].data,         call->in[1].data,         call->out[0].data,
                     call->in[1].shape.dim[0], call->in[0].shape.dim[1], (real)call->attributes->embed.scale};
    for (int64_t n = 0; n < job.rows; n++)
        if (job.index[n] < 0 || job.index[n] >= vocabulary)
            return MS_FAIL(MS_INVALID, "embed: id %d of token %lld is not in [0, %lld)", job.index[n], (long long)n,
                           (long long)vocabulary);
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), embed_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(embed)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
