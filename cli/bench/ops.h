/* muonscope bench ops: time of single ops through the public backend, beside the limit of the machine. */
#ifndef MS_CLI_BENCH_OPS_H
#define MS_CLI_BENCH_OPS_H

#include <stdio.h>

#include "backend/backend.h"

/* Runs each op of a fixed table as a program of its own on `device` ("cpu", ...) and prints to `out` per op: median
   milliseconds, GFLOP/s and its share of the limit (contractions; attention counts visible pairs) and, for matmul on
   the CPU, of sgemm on the same matmul, or GB/s and its share of the limit (the rest).  Limits are those of
   cli/bench/meter.h, measured before and after each row.  n_threads: of the CPU, 0: all processors.
   MS_INVALID: oracle numerics.  MS_NOT_FOUND, MS_UNSUPPORTED, MS_OUT_OF_MEMORY as the backend.  Not thread-safe. */
ms_status ms_bench_ops(const char *device, ms_numerics numerics, int n_threads, FILE *out);

#endif
