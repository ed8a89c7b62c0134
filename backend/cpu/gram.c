/* y = x x^T, or x^T x: x [.., R, C]; y [.., R, R], or [.., C, C].

   exact: bit for bit the matmul of x with itself.  Only blocks on and above the diagonal are computed and then
   mirrored, which halves the work: a product of two floats commutes, so y[r][c] and y[c][r] are the same sum. */
#include "backend/cpu/matmul_tile.h"

enum { GRAM_BLOCK = 192 }; /* multiple of MS_TILE_ROWS and TILE_COLUMNS, at most BLOCK_COLUMNS */

typedef struct gram_job {
    ms_tile_operand x;
    real *y;
    int64_t batch_x; /* elements between matrices */
    int64_t n, depth;
    int64_t block, n_blocks, n_pairs; /* blocks of rows; pairs of blocks with column >= row */
    char *workspace;
    size_t scratch_bytes;
} gram_job;

/* Pair i of (0,0), (0,1), .., (0,n-1), (1,1), ... */
static void pair_of(int64_t i, int64_t n_blocks, int64_t *out_row, int64_t *out_column) {
    int64_t row = 0;
    while (i >= n_blocks - row) {
        i -= n_blocks - row;
        row++;
    }
    *out_row = row;
    *out_column = row + i;
}

static void gram_block(void *context, int64_t i_task, int i_thread) {
    const gram_job *job = context;
    int64_t i_batch = i_task / job->n_pairs, i_row, i_column;
    pair_of(i_task % job->n_pairs, job->n_blocks, &i_row, &i_column);
    ms_tile_block block = {.a = job->x, .b = job->x, .depth = job->depth, .upper_only = true};
    block.a.data += i_batch * job->batch_x;
    block.b.data = block.a.data;
    block.row = i_row * job->block;
    block.n_rows = ms_min64(job->block, job->n - block.row);
    block.column = i_column * job->block;
    block.n_columns = ms_min64(job->block, job->n - block.column);
    ms_tile_scratch scratch = MS_KERNEL(tile_scratch_at)(job->workspace + (size_t)i_thread * job->scratch_bytes,
                                                         job->block, job->block, job->depth);
    MS_KERNEL(tile_gemm)(&block, &scratch);
    real *y = job->y + i_batch * job->n * job->n;
    bool diagonal = i_row == i_column;
    for (int64_t r = 0; r < block.n_rows; r++) {
        int64_t first = diagonal ? r : 0;
        memcpy(y + (block.row + r) * job->n + block.column + first, scratch.total + r * BLOCK_COLUMNS + first,
               (size_t)(block.n_columns - first) * sizeof *y);
    }
    for (int64_t c = 0; c < block.n_columns; c++) {
        real *mirror = y + (block.column + c) * job->n + block.row;
        int64_t end = diagonal ? c : block.n_rows;
        for (int64_t r = 0; r < end; r++) mirror[r] = scratch.total[r * BLOCK_COLUMNS + c];
    }
}

static gram_job prepare(const ms_cpu_call *call) {
    const ms_factor *x = &call->gemm->left;
    gram_job job = {
        .x = {call->in[0].data, ms_factor_stride(x), x->transposed},
        .y = call->out[0].data,
        .batch_x = ms_factor_step(x),
        .n = x->n_rows,
        .depth = x->depth,
        .workspace = call->workspace,
    };
    int64_t n_blocks = (job.n + GRAM_BLOCK - 1) / GRAM_BLOCK;
    job.block = ms_round_up64((job.n + n_blocks - 1) / n_blocks, MS_TILE_ROWS);
    job.n_blocks = (job.n + job.block - 1) / job.block;
    job.n_pairs = job.n_blocks * (job.n_blocks + 1) / 2;
    job.scratch_bytes = MS_KERNEL(tile_scratch_bytes)(job.block, job.block, job.depth);
    return job;
}

size_t MS_WORKSPACE(gram)(const ms_cpu_call *call) {
    return (size_t)ms_pool_size(call->pool) * prepare(call).scratch_bytes;
}

ms_status MS_KERNEL(gram)(const ms_cpu_call *call) {
    gram_job job = prepare(call);
    if (!job.y) return MS_OK;
    ms_pool_run(call->pool, call->gemm->batch * job.n_pairs, gram_block, &job);
    return MS_OK;
}
