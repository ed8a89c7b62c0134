/* The limits that figures of a device are set beside: how fast it multiplies matrices and moves memory. */
#ifndef MS_CLI_BENCH_METER_H
#define MS_CLI_BENCH_METER_H

#include "train/peak.h"

/* Matrices: train/peak.h.  Memory: on the CPU a triad, in this process; on any other device its own axpby, as a program
   of the public backend.  Measured at the moment they are asked for. */
typedef struct ms_bench_meter {
    ms_peak peak;
    const char *bytes_name; /* what the limit of memory is called in print: static */
    int64_t count;          /* elements of the axpby */
    ms_variables *variables;
    ms_store *store;
    ms_graph *graph;
    ms_program *program;
} ms_bench_meter;

/* dtype: of the matmul.  The caller finishes it, before the device is closed.  MS_OUT_OF_MEMORY. */
ms_status ms_bench_meter_init(ms_device *device, ms_dtype dtype, ms_bench_meter *out);
void ms_bench_meter_finish(ms_bench_meter *meter);
/* GFLOP/s of a matmul, GB/s of the triad y = x + s z.  Medians; on a device at least MS_QUEUED_SECONDS of work for each
   wait.  MS_OUT_OF_MEMORY; errors of the device. */
ms_status ms_bench_meter_flops(ms_bench_meter *meter, double *out_gflops);
ms_status ms_bench_meter_bytes(ms_bench_meter *meter, double *out_gb);

#endif
