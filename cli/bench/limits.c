#include "cli/bench/limits.h"

#include <cblas.h>
#include <stdlib.h>

#include "backend/cpu/cpu_blas.h"
#include "platform/clock.h"
#include "platform/thread.h"

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ms_bench_median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

double ms_bench_sgemm(const ms_bench_product *product, int n_threads) {
    enum { RUNS = 9 };
    int64_t m = product->m, n = product->n, k = product->k;
    float *a = malloc(sizeof *a * (size_t)(m * k + k * n + m * n));
    if (!a) return 0;
    float *b = a + m * k, *y = b + k * n;
    for (int64_t i = 0; i < m * k + k * n; i++) a[i] = (float)(i % 7) - 3;
    ms_cpu_blas_prepare();
    ms_cpu_blas_set_threads(n_threads ? n_threads : ms_processor_count());
    double seconds[RUNS];
    for (int i = -1; i < RUNS; i++) {
        double begin = ms_clock_seconds();
        cblas_sgemm(CblasRowMajor, product->transpose_a ? CblasTrans : CblasNoTrans,
                    product->transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
                    (blasint)(product->transpose_a ? m : k), b, (blasint)(product->transpose_b ? k : n), 0, y,
                    (blasint)n);
        if (i >= 0) seconds[i] = ms_clock_seconds() - begin;
    }
    ms_cpu_blas_set_threads(1);
    free(a);
    return 2e-9 * (double)m * (double)n * (double)k / ms_bench_median(seconds, RUNS);
}

double ms_bench_sgemm_peak(int n_threads) {
    const ms_bench_product square = {1536, 1536, 1536, false, false};
    return ms_bench_sgemm(&square, n_threads);
}

enum { TRIAD_COUNT = 32 << 20, TRIAD_TASK = 1 << 18 };

static void triad_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    float *a = (float *)context + i_task * TRIAD_TASK;
    const float *b = a + TRIAD_COUNT, *c = b + TRIAD_COUNT;
    for (int64_t i = 0; i < TRIAD_TASK; i++) a[i] = b[i] + 3.0f * c[i];
}

double ms_bench_triad(int n_threads) {
    enum { RUNS = 7 };
    float *arrays = malloc(3 * sizeof *arrays * TRIAD_COUNT);
    ms_pool *pool = NULL;
    double gb_per_s = 0, seconds[RUNS];
    if (arrays && ms_pool_create(n_threads ? n_threads : ms_processor_count(), &pool) == MS_OK) {
        for (int64_t i = 0; i < 3 * (int64_t)TRIAD_COUNT; i++) arrays[i] = 1;
        for (int i = 0; i < RUNS; i++) {
            double begin = ms_clock_seconds();
            ms_pool_run(pool, TRIAD_COUNT / TRIAD_TASK, triad_task, arrays);
            seconds[i] = ms_clock_seconds() - begin;
        }
        gb_per_s = 12e-9 * TRIAD_COUNT / ms_bench_median(seconds, RUNS);
    }
    ms_pool_destroy(pool);
    free(arrays);
    return gb_per_s;
}
