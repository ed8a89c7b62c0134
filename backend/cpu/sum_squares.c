/* sum_squares: sums of squares by the reduction rule: y [1] of the whole tensor, or y [batch,groups], one for each
   group of group_rows rows of each matrix of a stack x [batch,R,C] (a group of no rows gives 0). */
#include "backend/cpu/reduce.h"
#include "backend/cpu/share.h"

typedef struct sum_squares_job {
    const real *x;
    real *blocks;                               /* sums of blocks of 4096, part after part */
    int64_t n_parts, part_stride;               /* parts of one matrix; elements of one matrix */
    int64_t part_begin[MS_MAX_ROW_GROUPS + 1];  /* elements, within a matrix */
    int64_t block_begin[MS_MAX_ROW_GROUPS + 1]; /* blocks, within a matrix */
} sum_squares_job;

static void describe(const ms_cpu_call *call, sum_squares_job *job) {
    const ms_sum_squares_attributes *attributes = &call->attributes->sum_squares;
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0].shape);
    int64_t whole = ms_shape_count(&call->in[0].shape);
    job->n_parts = attributes->n_groups > 0 ? attributes->n_groups : 1;
    job->part_begin[0] = job->block_begin[0] = 0;
    for (int64_t p = 0; p < job->n_parts; p++) {
        int64_t count = attributes->n_groups > 0 ? attributes->group_rows[p] * matrix.columns : whole;
        job->part_begin[p + 1] = job->part_begin[p] + count;
        job->block_begin[p + 1] = job->block_begin[p] + ms_block_count(count);
    }
    job->part_stride = job->part_begin[job->n_parts];
}

static void sum_squares_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const sum_squares_job *job = context;
    int64_t per_matrix = job->block_begin[job->n_parts], block = i_task % per_matrix, p = 0;
    while (block >= job->block_begin[p + 1]) p++;
    ms_range range =
        ms_chunk_range(block - job->block_begin[p], MS_REDUCE_BLOCK, job->part_begin[p + 1] - job->part_begin[p]);
    const real *x = job->x + i_task / per_matrix * job->part_stride + job->part_begin[p] + range.begin;
    job->blocks[i_task] = ms_block_dot(x, x, range.end - range.begin);
}

ms_status MS_KERNEL(sum_squares)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    sum_squares_job job = {.x = call->in[0].data, .blocks = call->workspace};
    describe(call, &job);
    int64_t per_matrix = job.block_begin[job.n_parts], n_out = ms_shape_count(&call->out[0].shape);
    ms_pool_run(call->pool, n_out / job.n_parts * per_matrix, sum_squares_task, &job);
    for (int64_t i = 0; i < n_out; i++) {
        int64_t p = i % job.n_parts, n_blocks = job.block_begin[p + 1] - job.block_begin[p];
        const real *blocks = job.blocks + i / job.n_parts * per_matrix + job.block_begin[p];
        ((real *)call->out[0].data)[i] = n_blocks > 0 ? ms_reduce_sum(blocks, n_blocks) : (real)0;
    }
    return MS_OK;
}

size_t MS_WORKSPACE(sum_squares)(const ms_cpu_call *call) {
    sum_squares_job job = {0};
    describe(call, &job);
    int64_t n_matrices = ms_shape_count(&call->in[0].shape) / job.part_stride;
    return (size_t)(n_matrices * job.block_begin[job.n_parts]) * sizeof(real);
}
