/* The limits that figures of a device are set beside: how fast it multiplies matrices and moves memory. */
#ifndef MS_CLI_BENCH_METER_H
#define MS_CLI_BENCH_METER_H

#include "backend/backend.h"

/* On the CPU: OpenBLAS's sgemm and a triad, in this process.  On any other device: its own matmul (f32, in the device's
   numerics) and its own axpby, as programs of the public backend, measured at the moment they are asked for. */
typedef struct ms_bench_meter {
    ms_device *device; /* borrowed */
    int n_threads;     /* of the CPU */
    bool is_cpu;
    const char *flops_name, *bytes_name; /* what the limits are called in print: static */
    int64_t size;                        /* rows and columns of the device's matmul, elements of its axpby / 1024 */
    ms_variables *variables;
    ms_store *store;
    ms_graph *graphs[2];
    ms_program *programs[2]; /* matmul, axpby */
} ms_bench_meter;

/* name: as the device was opened; quick: small products on a slow device, for a first idea.  The caller finishes it,
 * before the device is closed.  MS_OUT_OF_MEMORY. */
ms_status ms_bench_meter_init(ms_device *device, const char *name, int n_threads, bool quick, ms_bench_meter *out);
void ms_bench_meter_finish(ms_bench_meter *meter);
/* GFLOP/s of a matmul, GB/s of the triad y = x + s z.  Medians. */
ms_status ms_bench_meter_flops(ms_bench_meter *meter, double *out_gflops);
ms_status ms_bench_meter_bytes(ms_bench_meter *meter, double *out_gb);

/* Median seconds of a run, the device's work included: up to 7 runs after a warm-up, fewer when they take long. */
ms_status ms_bench_time_program(ms_device *device, ms_program *program, double *out_seconds);

#endif
