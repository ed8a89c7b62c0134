/* How fast a device multiplies matrices: what the speed of training is compared with. */
#ifndef MS_TRAIN_PEAK_H
#define MS_TRAIN_PEAK_H

#include "backend/backend.h"

/* On the CPU: OpenBLAS's sgemm, which the device times, whatever the dtype: bf16 is widened there.  On any other
   device: its own matmul of factors and a result of a dtype, in the device's numerics, as a program of the public
   backend, measured at the moment it is asked for. */
typedef struct ms_peak {
    ms_device *device; /* borrowed */
    bool is_cpu;
    size_t most_bytes; /* of the options */
    const char *name;  /* what the peak is called in print: static */
    ms_dtype dtype;    /* of the options */
    double queued;     /* seconds of work for each wait */
    int64_t size;      /* rows and columns of the device's matmul */
    ms_variables *variables;
    ms_store *store;
    ms_graph *graph;
    ms_program *program;
} ms_peak;

typedef struct ms_peak_options {
    bool quick;        /* the smallest matmul on a slow device, and less work for each wait, for a first idea */
    ms_dtype dtype;    /* of factors and result: that of the run's activations */
    size_t most_bytes; /* of the device's memory, for any but the smallest matmul (1.7 MiB); 0: no limit */
} ms_peak_options;

/* Compiles the largest matmul that makes sense on the device and fits.  The caller finishes it, before the device is
   closed.  Errors of the device. */
ms_status ms_peak_init(ms_device *device, const ms_peak_options *options, ms_peak *out);
void ms_peak_finish(ms_peak *peak);
/* FLOP/s: the median of a few runs.  On the CPU takes up to 27 MiB meanwhile, within most_bytes.
   Errors of the device. */
ms_status ms_peak_measure(ms_peak *peak, double *out_flops);

/* All of it, quickly, in most_bytes of the device's memory, which is given back.  *out_flops is 0 after an error.
   dtype: as in the options. */
ms_status ms_peak_measure_once(ms_device *device, ms_dtype dtype, size_t most_bytes, double *out_flops);

/* Seconds of work for each wait that figures are taken from: a wait costs some 20 microseconds, as much as a small
   op. */
#define MS_QUEUED_SECONDS 0.05

/* Median seconds of a run: the program is queued as often as it takes to keep the device busy for `queued` seconds (0:
   once), then awaited; up to 7 times after warm-ups, fewer when that takes long. */
ms_status ms_program_time(ms_device *device, ms_program *program, double queued, double *out_seconds);

#endif
