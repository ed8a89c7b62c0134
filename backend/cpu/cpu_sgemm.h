/* The speed of OpenBLAS itself: what matmuls on the CPU are compared with. */
#ifndef MS_BACKEND_CPU_CPU_SGEMM_H
#define MS_BACKEND_CPU_CPU_SGEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/thread.h"

/* A matmul [m,k] [k,n] of row-major matrices; a transposed operand is stored the other way round. */
typedef struct ms_cpu_gemm {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
} ms_cpu_gemm;

/* GFLOP/s of OpenBLAS's own cblas_sgemm for a matmul at n_threads OpenBLAS threads (0: all processors): median of nine
   calls after a warm-up.  Leaves OpenBLAS at one thread a call.  0 when memory lacks.  Not thread-safe. */
double ms_cpu_sgemm(const ms_cpu_gemm *gemm, int n_threads);
/* GFLOP/s of all threads of a pool (NULL: of the caller) together, each in calls of cblas_sgemm of its own, for a
   square of side 1024, 768, or at least 384, the largest whose memory (2 + threads squares of f32) is at most
   most_bytes, 0: no limit.  The limit that training is compared with.  OpenBLAS's own threads are not used: they would
   go on looking for work for milliseconds after the call, on processors that others need.  The fastest of nine rounds
   after a warm-up: a limit is what was reached once; the memory is given back.  0 when memory lacks.  Not thread-safe
   on one pool. */
double ms_cpu_sgemm_peak(ms_pool *pool, size_t most_bytes);

#endif
