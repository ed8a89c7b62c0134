/* y = x x^T, or x^T x: x [.., R, C]; y [.., R, R], or [.., C, C].

   exact: bit for bit the matmul of x with itself.  Only macro-tiles on and above the diagonal are computed and then
   mirrored, which halves the work: a product of two floats commutes, so y[r][c] and y[c][r] are the same sum. */
#include "backend/cpu/matmul_tile.h"

enum { GRAM_TILE = 192 }; /* multiple of MS_TILE_ROWS and TILE_COLUMNS, at most MACRO_COLUMNS */

typedef struct gram_job {
    ms_tile_operand x;
    real *y;
    int64_t batch_x; /* elements between matrices */
    int64_t n, depth;
    int64_t tile, n_tiles, n_pairs; /* rows of a macro-tile; pairs of macro-tiles with column >= row */
    char *workspace;
    size_t scratch_bytes;
} gram_job;

/* Pair i of (0,0), (0,1), .., (0,n-1), (1,1), ... */
static void pair_of(int64_t i, int64_t n_tiles, int64_t *out_row, int64_t *out_column) {
    int64_t row = 0;
    while (i >= n_tiles - row) {
        i -= n_tiles - row;
        row++;
    }
    *out_row = row;
    *out_column = row + i;
}

static void gram_task(void *context, int64_t i_task, int i_thread) {
    const gram_job *job = context;
    int64_t i_batch = i_task / job->n_pairs, i_row, i_column;
    pair_of(i_task % job->n_pairs, job->n_tiles, &i_row, &i_column);
    ms_macro_tile tile = {.a = job->x, .b = job->x, .depth = job->depth, .upper_only = true};
    tile.a.data += i_batch * job->batch_x;
    tile.b.data = tile.a.data;
    tile.row = i_row * job->tile;
    tile.n_rows = ms_min64(job->tile, job->n - tile.row);
    tile.column = i_column * job->tile;
    tile.n_columns = ms_min64(job->tile, job->n - tile.column);
    ms_tile_scratch scratch = MS_KERNEL(tile_scratch_at)(job->workspace + (size_t)i_thread * job->scratch_bytes,
                                                         job->tile, job->tile, job->depth);
    MS_KERNEL(tile_gemm)(&tile, &scratch);
    real *y = job->y + i_batch * job->n * job->n;
    bool diagonal = i_row == i_column;
    for (int64_t r = 0; r < tile.n_rows; r++) {
        int64_t first = diagonal ? r : 0;
        memcpy(y + (tile.row + r) * job->n + tile.column + first, scratch.total + r * MACRO_COLUMNS + first,
               (size_t)(tile.n_columns - first) * sizeof *y);
    }
    for (int64_t c = 0; c < tile.n_columns; c++) {
        real *mirror = y + (tile.column + c) * job->n + tile.row;
        int64_t end = diagonal ? c : tile.n_rows;
        for (int64_t r = 0; r < end; r++) mirror[r] = scratch.total[r * MACRO_COLUMNS + c];
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
    int64_t n_tiles = (job.n + GRAM_TILE - 1) / GRAM_TILE;
    job.tile = ms_round_up64((job.n + n_tiles - 1) / n_tiles, MS_TILE_ROWS);
    job.n_tiles = (job.n + job.tile - 1) / job.tile;
    job.n_pairs = job.n_tiles * (job.n_tiles + 1) / 2;
    job.scratch_bytes = MS_KERNEL(tile_scratch_bytes)(job.tile, job.tile, job.depth);
    return job;
}

size_t MS_WORKSPACE(gram)(const ms_cpu_call *call) {
    return (size_t)ms_pool_size(call->pool) * prepare(call).scratch_bytes;
}

ms_status MS_KERNEL(gram)(const ms_cpu_call *call) {
    gram_job job = prepare(call);
    if (!job.y) return MS_OK;
    ms_pool_run(call->pool, call->gemm->batch * job.n_pairs, gram_task, &job);
    return MS_OK;
}
