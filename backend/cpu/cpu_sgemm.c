#include "backend/cpu/cpu_sgemm.h"

#include <cblas.h>
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

double ms_cpu_sgemm_peak(int n_threads, size_t most_bytes) {
    static const int64_t sides[] = {1536, 768, 384};
    int i = 0;
    while (i < 2 && most_bytes != 0 && 3 * sizeof(float) * (size_t)(sides[i] * sides[i]) > most_bytes) i++;
    const ms_cpu_gemm square = {sides[i], sides[i], sides[i], false, false};
    return ms_cpu_sgemm(&square, n_threads);
}
