/* matmul in `fast` numerics: y = alpha * op(a) op(b) + beta * c by single-threaded sgemm calls from our own team: one
   matrix a task where the batch is large, else bands of rows or columns.  The bands depend on the number of threads, so
   results repeat bit for bit at a given number of threads only.  Concurrent calls are safe in OpenBLAS's OpenMP build
   (a spin lock per buffer). */
#include "platform/blas.h"
#include "backend/cpu/cpu_kernel.h"

#include <cblas.h>
#include <string.h>

typedef struct matmul_job {
    const float *a, *b, *c;
    float *y;
    int64_t batch_a, batch_b; /* elements between matrices, 0 when shared */
    int64_t stride_a, stride_b;
    int64_t n_rows, n_columns, depth;
    int64_t n_bands, band; /* bands of rows, or of columns */
    bool split_columns, transpose_a, transpose_b;
    float alpha, beta;
} matmul_job;

static void matmul_band(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const matmul_job *job = context;
    int64_t i_batch = i_task / job->n_bands, begin = i_task % job->n_bands * job->band;
    int64_t extent = job->split_columns ? job->n_columns : job->n_rows;
    int64_t count = extent - begin < job->band ? extent - begin : job->band;
    int64_t n_rows = job->split_columns ? job->n_rows : count, n_columns = job->split_columns ? count : job->n_columns;
    const float *a = job->a + i_batch * job->batch_a, *b = job->b + i_batch * job->batch_b;
    int64_t at = i_batch * job->n_rows * job->n_columns;
    if (job->split_columns) {
        b += job->transpose_b ? begin * job->stride_b : begin;
        at += begin;
    } else {
        a += job->transpose_a ? begin : begin * job->stride_a;
        at += begin * job->n_columns;
    }
    float *y = job->y + at;
    if (job->c && job->c != job->y) {
        for (int64_t r = 0; r < n_rows; r++)
            memcpy(y + r * job->n_columns, job->c + at + r * job->n_columns, (size_t)n_columns * sizeof *y);
    }
    ms_blas_this_thread();
    float beta = job->c ? job->beta : 0.0f;
    if (n_rows == 1) { /* decoding: sgemm packs the whole of b for one row */
        int64_t b_rows = job->transpose_b ? n_columns : job->depth,
                b_columns = job->transpose_b ? job->depth : n_columns;
        cblas_sgemv(CblasRowMajor, job->transpose_b ? CblasNoTrans : CblasTrans, (blasint)b_rows, (blasint)b_columns,
                    job->alpha, b, (blasint)job->stride_b, a, job->transpose_a ? (blasint)job->stride_a : 1, beta, y,
                    1);
        return;
    }
    cblas_sgemm(CblasRowMajor, job->transpose_a ? CblasTrans : CblasNoTrans,
                job->transpose_b ? CblasTrans : CblasNoTrans, (blasint)n_rows, (blasint)n_columns, (blasint)job->depth,
                job->alpha, a, (blasint)job->stride_a, b, (blasint)job->stride_b, beta, y, (blasint)job->n_columns);
}

/* Bands of a multiple of 32 rows or columns, about one a thread and matrix; none where the matmul is too small to
   share. */
static void choose_bands(matmul_job *job, int64_t batch, int n_threads) {
    int64_t work = job->n_rows * job->n_columns * job->depth;
    job->split_columns = job->n_columns > job->n_rows;
    int64_t extent = job->split_columns ? job->n_columns : job->n_rows;
    bool share = n_threads > 1 && batch % n_threads != 0 && batch < 4 * (int64_t)n_threads && work > 1 << 16;
    int64_t wanted = share ? n_threads : 1;
    job->band = wanted == 1 ? extent : ((extent + wanted - 1) / wanted + 31) / 32 * 32;
    job->n_bands = (extent + job->band - 1) / job->band;
}

size_t MS_WORKSPACE(matmul)(const ms_cpu_call *call) {
    (void)call;
    return 0;
}

ms_status MS_KERNEL(matmul)(const ms_cpu_call *call) {
    const ms_gemm *gemm = call->gemm;
    const ms_factor *left = &gemm->left, *right = &gemm->right;
    matmul_job job = {
        .a = call->in[0].data,
        .b = call->in[1].data,
        .c = call->in[2].data,
        .y = call->out[0].data,
        .batch_a = ms_factor_step(left),
        .batch_b = ms_factor_step(right),
        .stride_a = ms_factor_stride(left),
        .stride_b = ms_factor_stride(right),
        .n_rows = left->n_rows,
        .n_columns = right->n_rows,
        .depth = left->depth,
        .transpose_a = left->transposed,
        .transpose_b = !right->transposed,
        .alpha = gemm->alpha,
        .beta = gemm->beta,
    };
    if (!job.y) return MS_OK;
    choose_bands(&job, gemm->batch, ms_pool_size(call->pool));
    ms_pool_run(call->pool, gemm->batch * job.n_bands, matmul_band, &job);
    return MS_OK;
}
