/* The speed of OpenBLAS itself: what matmuls on the CPU are compared with. */
#ifndef MS_BACKEND_CPU_CPU_SGEMM_H
#define MS_BACKEND_CPU_CPU_SGEMM_H

#include <stdbool.h>
#include <stdint.h>

/* A matmul [m,k] [k,n] of row-major matrices; a transposed operand is stored the other way round. */
typedef struct ms_cpu_gemm {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
} ms_cpu_gemm;

/* GFLOP/s of OpenBLAS's own cblas_sgemm for a matmul at n_threads OpenBLAS threads (0: all processors): median of nine
   calls after a warm-up.  Leaves OpenBLAS at one thread a call.  0 when memory lacks.  Not thread-safe. */
double ms_cpu_sgemm(const ms_cpu_gemm *gemm, int n_threads);
/* The same for 1536 x 1536 x 1536: the limit that training is compared with. */
double ms_cpu_sgemm_peak(int n_threads);

#endif
