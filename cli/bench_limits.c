/* The limits of this machine that bench ops and bench train set results against. */
#include <cblas.h>
#include <stdlib.h>

#include "backend/cpu/cpu_blas.h"
#include "cli/bench_ops.h"
#include "platform/clock.h"
#include "platform/thread.h"

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

double ms_bench_sgemm_peak(int n_threads) {
    enum { N = 1536, RUNS = 9 };
    float *a = malloc(3 * sizeof *a * N * N);
    if (!a) return 0;
    for (int i = 0; i < 3 * N * N; i++) a[i] = (float)(i % 7) - 3;
    ms_cpu_blas_prepare();
    ms_cpu_blas_set_threads(n_threads ? n_threads : ms_processor_count());
    double seconds[RUNS];
    for (int i = -1; i < RUNS; i++) {
        double begin = ms_clock_seconds();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
        if (i >= 0) seconds[i] = ms_clock_seconds() - begin;
    }
    ms_cpu_blas_set_threads(1);
    free(a);
    return 2e-9 * N * N * N / median(seconds, RUNS);
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
        gb_per_s = 12e-9 * TRIAD_COUNT / median(seconds, RUNS);
    }
    ms_pool_destroy(pool);
    free(arrays);
    return gb_per_s;
}
