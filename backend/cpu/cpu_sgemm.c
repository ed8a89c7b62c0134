#include "backend/cpu/cpu_sgemm.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "platform/blas.h"
#include "platform/clock.h"
#include "platform/median.h"
#include "platform/thread.h"

double ms_cpu_sgemm(const ms_cpu_gemm *gemm, int n_threads) {
    enum { RUNS = 9 };
    int64_t m = gemm->m, n = gemm->n, k = gemm->k;
    if (ms_blas_prepare() != MS_OK) return 0;
    float *a = malloc(sizeof *a * (size_t)(m * k + k * n + m * n));
    if (!a) return 0;
    float *b = a + m * k, *y = b + k * n;
    for (int64_t i = 0; i < m * k + k * n; i++) a[i] = (float)(i % 7) - 3;
    ms_blas_set_threads(n_threads ? n_threads : ms_processor_count());
    double seconds[RUNS];
    for (int i = -1; i < RUNS; i++) {
        double begin = ms_clock_seconds();
        cblas_sgemm(CblasRowMajor, gemm->transpose_a ? CblasTrans : CblasNoTrans,
                    gemm->transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
                    (blasint)(gemm->transpose_a ? m : k), b, (blasint)(gemm->transpose_b ? k : n), 0, y, (blasint)n);
        if (i >= 0) seconds[i] = ms_clock_seconds() - begin;
    }
    ms_blas_set_threads(1);
    free(a);
    return 2e-9 * (double)m * (double)n * (double)k / ms_median(seconds, RUNS);
}

/* A square that each thread multiplies into a place of its own. */
typedef struct squares {
    int64_t side;
    const float *a, *b;
    float *y; /* [n_threads, side, side] */
} squares;

static void multiply_square(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const squares *s = context;
    blasint n = (blasint)s->side;
    ms_blas_this_thread();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, s->a, n, s->b, n, 0,
                s->y + i_task * s->side * s->side, n);
}

double ms_cpu_sgemm_peak(ms_pool *pool, size_t most_bytes) {
    static const int64_t sides[] = {1024, 768, 384};
    enum { RUNS = 9, N_SIDES = sizeof sides / sizeof *sides };
    int i = 0, n_threads = pool ? ms_pool_size(pool) : 1;
    size_t places = 2 + (size_t)n_threads;
    while (i + 1 < N_SIDES && most_bytes != 0 && places * sizeof(float) * (size_t)(sides[i] * sides[i]) > most_bytes)
        i++;
    int64_t side = sides[i], count = side * side;
    if (ms_blas_prepare() != MS_OK) return 0;
    float *a = malloc(places * (size_t)count * sizeof *a);
    if (!a) return 0;
    squares work = {side, a, a + count, a + 2 * count};
    for (int64_t j = 0; j < 2 * count; j++) a[j] = (float)(j % 7) - 3;
    double least = INFINITY;
    for (int run = -1; run < RUNS; run++) {
        double begin = ms_clock_seconds();
        ms_pool_run(pool, n_threads, multiply_square, &work);
        if (run >= 0) least = fmin(least, ms_clock_seconds() - begin);
    }
    free(a);
    return 2e-9 * (double)n_threads * (double)side * (double)side * (double)side / least;
}
