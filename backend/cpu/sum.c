/* sum: y [1] = sum of all elements by the reduction rule. */
#include "backend/cpu/reduce.h"
#include "backend/cpu/share.h"

typedef struct sum_job {
    const real *x;
    real *blocks; /* sums of blocks of 4096 */
    int64_t count;
} sum_job;

static void sum_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const sum_job *job = context;
    ms_range range = ms_chunk_range(i_task, MS_REDUCE_BLOCK, job->count);
    job->blocks[i_task] = ms_block_sum(job->x + range.begin, range.end - range.begin);
}

ms_status MS_KERNEL(sum)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    sum_job job = {call->in[0].data, call->workspace, ms_shape_count(&call->in[0].shape)};
    ms_pool_run(call->pool, ms_block_count(job.count), sum_task, &job);
    *(real *)call->out[0].data = ms_reduce_sum(job.blocks, ms_block_count(job.count));
    return MS_OK;
}

size_t MS_WORKSPACE(sum)(const ms_cpu_call *call) {
    return (size_t)ms_block_count(ms_shape_count(&call->in[0].shape)) * sizeof(real);
}
