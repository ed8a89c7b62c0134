/* y = alpha * op(a) op(b) + beta * c.  a [.., M, K] or [.., K, M] when transposed, b likewise, y and c [.., M, N]; an
   operand with one matrix is shared by the whole batch.

   exact: total = sum over k ascending in chunks of 512 (each chunk sum starts from its first product; chunk sums are
   added ascending, starting from the first); y = (alpha * total) + (beta * c), products and sums unfused.  Each output
   is computed whole by one task, so nothing depends on threads or blocking. */
#include "backend/cpu/matmul_tile.h"

typedef struct matmul_job {
    ms_tile_operand a, b;
    int64_t batch_a, batch_b; /* elements between matrices, 0 when shared */
    const real *c;
    real *y;
    int64_t n_rows, n_columns, depth;
    int64_t n_row_tiles, n_column_tiles, tile_rows, tile_columns;
    real alpha, beta;
    char *workspace;
    size_t scratch_bytes;
} matmul_job;

/* y = (alpha * total) + (beta * c) for one row. */
static void finish_row(const matmul_job *job, const real *total, const real *c, int64_t n, real *y) {
    if (!c && job->alpha == 1) {
        memcpy(y, total, (size_t)n * sizeof *y);
    } else if (!c) {
        for (int64_t i = 0; i < n; i++) y[i] = job->alpha * total[i];
    } else {
        for (int64_t i = 0; i < n; i++) y[i] = job->alpha * total[i] + job->beta * c[i];
    }
}

static void matmul_task(void *context, int64_t i_task, int i_thread) {
    const matmul_job *job = context;
    int64_t i_column = i_task % job->n_column_tiles, rest = i_task / job->n_column_tiles;
    int64_t i_row = rest % job->n_row_tiles, i_batch = rest / job->n_row_tiles;
    ms_macro_tile tile = {.a = job->a, .b = job->b, .depth = job->depth};
    tile.a.data += i_batch * job->batch_a;
    tile.b.data += i_batch * job->batch_b;
    tile.row = i_row * job->tile_rows;
    tile.n_rows = ms_min64(job->tile_rows, job->n_rows - tile.row);
    tile.column = i_column * job->tile_columns;
    tile.n_columns = ms_min64(job->tile_columns, job->n_columns - tile.column);
    ms_tile_scratch scratch = MS_KERNEL(tile_scratch_at)(job->workspace + (size_t)i_thread * job->scratch_bytes,
                                                         job->n_rows, job->n_columns, job->depth);
    MS_KERNEL(tile_gemm)(&tile, &scratch);
    for (int64_t r = 0; r < tile.n_rows; r++) {
        int64_t at = (i_batch * job->n_rows + tile.row + r) * job->n_columns + tile.column;
        finish_row(job, scratch.total + r * MACRO_COLUMNS, job->c ? job->c + at : NULL, tile.n_columns, job->y + at);
    }
}

static int64_t count_tiles(int64_t n, int64_t tile) { return (n + tile - 1) / tile; }

/* Even macro-tiles, and at least four tasks a thread where the matmul is large enough to be worth it. */
static void choose_tiles(matmul_job *job, int64_t batch, int n_threads) {
    int64_t rows = count_tiles(job->n_rows, MACRO_ROWS), columns = count_tiles(job->n_columns, MACRO_COLUMNS);
    int64_t wanted = n_threads > 1 ? 4 * (int64_t)n_threads : 1;
    for (;;) {
        job->tile_rows = ms_round_up64(count_tiles(job->n_rows, rows), MS_TILE_ROWS);
        job->tile_columns = ms_round_up64(count_tiles(job->n_columns, columns), TILE_COLUMNS);
        if (batch * rows * columns >= wanted) break;
        if (job->tile_rows > 4 * MS_TILE_ROWS && job->tile_rows >= job->tile_columns) {
            rows++;
        } else if (job->tile_columns > 2 * TILE_COLUMNS) {
            columns++;
        } else {
            break;
        }
    }
    job->n_row_tiles = count_tiles(job->n_rows, job->tile_rows);
    job->n_column_tiles = count_tiles(job->n_columns, job->tile_columns);
}

size_t MS_WORKSPACE(matmul)(const ms_cpu_call *call) {
    const ms_factor *left = &call->gemm->left, *right = &call->gemm->right;
    return (size_t)ms_pool_size(call->pool) * MS_KERNEL(tile_scratch_bytes)(left->n_rows, right->n_rows, left->depth);
}

ms_status MS_KERNEL(matmul)(const ms_cpu_call *call) {
    const ms_gemm *gemm = call->gemm;
    const ms_factor *left = &gemm->left, *right = &gemm->right;
    matmul_job job = {
        .a = {call->in[0].data, ms_factor_stride(left), left->transposed},
        .b = {call->in[1].data, ms_factor_stride(right), right->transposed},
        .batch_a = ms_factor_step(left),
        .batch_b = ms_factor_step(right),
        .c = call->in[2].data,
        .y = call->out[0].data,
        .n_rows = left->n_rows,
        .n_columns = right->n_rows,
        .depth = left->depth,
        .alpha = (real)gemm->alpha,
        .beta = (real)gemm->beta,
        .workspace = call->workspace,
    };
    job.scratch_bytes = MS_KERNEL(tile_scratch_bytes)(job.n_rows, job.n_columns, job.depth);
    if (!job.y) return MS_OK;
    choose_tiles(&job, gemm->batch, ms_pool_size(call->pool));
    ms_pool_run(call->pool, gemm->batch * job.n_row_tiles * job.n_column_tiles, matmul_task, &job);
    return MS_OK;
}
