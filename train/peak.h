/* How fast a device multiplies matrices: what the speed of training is compared with. */
#ifndef MS_TRAIN_PEAK_H
#define MS_TRAIN_PEAK_H

#include "backend/backend.h"

/* On the CPU: OpenBLAS's sgemm, which the device times.  On any other device: its own matmul (f32, in the device's
   numerics), as a program of the public backend, measured at the moment it is asked for. */
typedef struct ms_peak {
    ms_device *device; /* borrowed */
    bool is_cpu;
    size_t most_bytes; /* of the options */
    const char *name;  /* what the peak is called in print: static */
    int64_t size;      /* rows and columns of the device's matmul */
    ms_variables *variables;
    ms_store *store;
    ms_graph *graph;
    ms_program *program;
} ms_peak;

typedef struct ms_peak_options {
    bool quick;        /* the smallest matmul on a slow device, for a first idea */
    size_t most_bytes; /* of the device's memory, for any but the smallest matmul (1.7 MiB); 0: no limit */
} ms_peak_options;

/* Compiles the largest matmul that makes sense on the device and fits.  The caller finishes it, before the device is
   closed.  Errors of the device. */
ms_status ms_peak_init(ms_device *device, const ms_peak_options *options, ms_peak *out);
void ms_peak_finish(ms_peak *peak);
/* FLOP/s: the median of a few runs.  On the CPU takes up to 27 MiB meanwhile, within most_bytes.
   Errors of the device. */
ms_status ms_peak_measure(ms_peak *peak, double *out_flops);

/* All of it, quickly, in most_bytes of the device's memory, which is given back.  *out_flops is 0 after an error. */
ms_status ms_peak_measure_once(ms_device *device, size_t most_bytes, double *out_flops);

/* Median seconds of a run, the device's work included: up to 7 runs after a warm-up, fewer when they take long. */
ms_status ms_program_time(ms_device *device, ms_program *program, double *out_seconds);

#endif
