/* The speed of OpenBLAS itself: what matmuls on the CPU are compared with. */
#ifndef MS_BACKEND_CPU_CPU_SGEMM_H
#define MS_BACKEND_CPU_CPU_SGEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A matmul [m,k] [k,n] of row-major matrices; a transposed operand is stored the other way round. */
typedef struct ms_cpu_gemm {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
} ms_cpu_gemm;

/* GFLOP/s of OpenBLAS's own cblas_sgemm for a matmul at n_threads OpenBLAS threads (0: all processors): median of nine
   calls after a warm-up.  Leaves OpenBLAS at one thread a call.  0 when memory lacks.  Not thread-safe. */
double ms_cpu_sgemm(const ms_cpu_gemm *gemm, int n_threads);
/* The same for a square that takes at most most_bytes, 0: no limit: 1536 (27 MiB), 768 (6.8 MiB), or at least 384
   (1.7 MiB).  The limit that training is compared with.  The memory is given back. */
double ms_cpu_sgemm_peak(int n_threads, size_t most_bytes);

#endif
