/* muonscope bench ops: time of single ops through the public backend, beside the limit of the machine. */
#ifndef MS_CLI_BENCH_OPS_H
#define MS_CLI_BENCH_OPS_H

#include <stdio.h>

#include "backend/backend.h"

/* Runs each op of a fixed table as a program of its own and prints to `out` per op: median milliseconds, its floor (as
   cli/bench/floor.h) and their ratio, GFLOP/s and its share of the limit (contractions; attention counts visible pairs)
   and, for matmul on the CPU, of sgemm on the same matmul, or GB/s and its share of the limit (the rest).  Each wait
   for the device is for at least MS_QUEUED_SECONDS of work.  Limits are those of cli/bench/meter.h in the dtype of the
   row, measured before and after it.  storage: f32 or bf16, of what training has in its storage.
   MS_INVALID: oracle numerics.  MS_NOT_FOUND, MS_UNSUPPORTED, MS_OUT_OF_MEMORY as the backend.  Not thread-safe. */
ms_status ms_bench_ops(const ms_device_options *options, ms_dtype storage, FILE *out);

#endif
