/* muonscope bench ops: time of single ops through the public backend, beside the limit of the machine. */
#ifndef MS_CLI_BENCH_OPS_H
#define MS_CLI_BENCH_OPS_H

#include <stdio.h>

#include "backend/backend.h"

/* Runs each op of a fixed table as a program of its own on `device` ("cpu", ...) and prints to `out` per op: median
   milliseconds, GFLOP/s and its share of the limit (contractions; attention counts visible pairs) and, for matmul on
   the CPU, of sgemm on the same product, or GB/s and its share of the limit (the rest).  Limits are those of
   cli/bench/meter.h, measured before and after each row, at n_threads threads on the CPU (0: all processors).
   MS_INVALID: oracle numerics.  MS_NOT_FOUND, MS_UNSUPPORTED, MS_OUT_OF_MEMORY as the backend.  Not thread-safe. */
ms_status ms_bench_ops(const char *device, ms_numerics numerics, int n_threads, FILE *out);

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
