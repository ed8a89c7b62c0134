/* What the processor reaches at most: products by OpenBLAS, and memory. */
#ifndef MS_CLI_BENCH_LIMITS_H
#define MS_CLI_BENCH_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* The median of n >= 1 values (of an even number: the upper middle one).  Sorts them. */
double ms_bench_median(double *values, int n);

/* A product [m,k] [k,n] of row-major matrices; a transposed operand is stored the other way round. */
typedef struct ms_bench_product {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
} ms_bench_product;

/* GFLOP/s of OpenBLAS's own cblas_sgemm for a product at n_threads OpenBLAS threads (0: all processors): median of nine
   calls after a warm-up.  Leaves OpenBLAS at one thread a call.  0 when memory lacks.  Not thread-safe. */
double ms_bench_sgemm(const ms_bench_product *product, int n_threads);
/* The same for 1536 x 1536 x 1536: the limit that training is held against. */
double ms_bench_sgemm_peak(int n_threads);

/* GB/s of a[i] = b[i] + s * c[i] over three arrays of 128 MB, counting 12 bytes an element: median of seven.  0 when
   memory lacks.  Not thread-safe. */
double ms_bench_triad(int n_threads);

#endif
