/* gram in `fast` numerics: the upper triangle by ssyrk (and sgemm right of the diagonal tiles, where a matrix is
   shared by several threads), then mirrored, so that y is symmetric to the bit. */
#include "platform/blas.h"
#include "backend/cpu/cpu_kernel.h"

#include <cblas.h>

enum { MIRROR_TILE = 64 };

typedef struct gram_job {
    const float *x;
    float *y;
    int64_t batch_x, stride_x; /* elements between matrices, between rows */
    int64_t n, depth;
    int64_t band, n_bands; /* rows of y a task */
    bool transpose;
} gram_job;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void gram_band(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const gram_job *job = context;
    int64_t i_batch = i_task / job->n_bands, row = i_task % job->n_bands * job->band;
    blasint n_rows = (blasint)smaller(job->band, job->n - row), n_right = (blasint)(job->n - row - n_rows);
    const float *x = job->x + i_batch * job->batch_x + (job->transpose ? row : row * job->stride_x);
    const float *right = x + (job->transpose ? n_rows : n_rows * job->stride_x);
    float *y = job->y + i_batch * job->n * job->n + row * job->n + row;
    CBLAS_TRANSPOSE trans = job->transpose ? CblasTrans : CblasNoTrans,
                    other = job->transpose ? CblasNoTrans : CblasTrans;
    blasint stride = (blasint)job->stride_x, stride_y = (blasint)job->n;
    ms_blas_this_thread();
    cblas_ssyrk(CblasRowMajor, CblasUpper, trans, n_rows, (blasint)job->depth, 1.0f, x, stride, 0.0f, y, stride_y);
    if (n_right > 0)
        cblas_sgemm(CblasRowMajor, trans, other, n_rows, n_right, (blasint)job->depth, 1.0f, x, stride, right, stride,
                    0.0f, y + n_rows, stride_y);
}

/* Rows [row, row + MIRROR_TILE) of the lower triangle from the columns above the diagonal, in squares. */
static void mirror_band(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const gram_job *job = context;
    int64_t n_tiles = (job->n + MIRROR_TILE - 1) / MIRROR_TILE;
    float *y = job->y + i_task / n_tiles * job->n * job->n;
    int64_t row = i_task % n_tiles * MIRROR_TILE, row_end = smaller(row + MIRROR_TILE, job->n);
    for (int64_t column = 0; column < row_end; column += MIRROR_TILE) {
        for (int64_t r = row; r < row_end; r++) {
            int64_t end = smaller(column + MIRROR_TILE, r);
            for (int64_t c = column; c < end; c++) y[r * job->n + c] = y[c * job->n + r];
        }
    }
}

size_t MS_WORKSPACE(gram)(const ms_cpu_call *call) {
    (void)call;
    return 0;
}

ms_status MS_KERNEL(gram)(const ms_cpu_call *call) {
    const ms_factor *x = &call->gemm->left;
    int64_t batch = call->gemm->batch;
    gram_job job = {
        .x = call->in[0].data,
        .y = call->out[0].data,
        .batch_x = ms_factor_step(x),
        .stride_x = ms_factor_stride(x),
        .n = x->n_rows,
        .depth = x->depth,
        .transpose = x->transposed,
    };
    if (!job.y) return MS_OK;
    int64_t n_threads = ms_pool_size(call->pool);
    bool share = batch < 2 * n_threads && batch % n_threads != 0 && job.n >= 128;
    /* Bands get shorter downwards; three a thread even that out. */
    job.band = share ? ((job.n + 3 * n_threads - 1) / (3 * n_threads) + 31) / 32 * 32 : job.n;
    job.n_bands = (job.n + job.band - 1) / job.band;
    ms_pool_run(call->pool, batch * job.n_bands, gram_band, &job);
    ms_pool_run(call->pool, batch * ((job.n + MIRROR_TILE - 1) / MIRROR_TILE), mirror_band, &job);
    return MS_OK;
}
