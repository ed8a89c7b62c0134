/* `muonscope verify --production PRESET`: what a training step of a preset computes at its full size, `fast` compared
   with `exact` on the same device. */
#ifndef MS_CLI_VERIFY_PRODUCTION_H
#define MS_CLI_VERIFY_PRODUCTION_H

#include "cli/verify/report.h"
#include "cli/verify/subject.h"

typedef struct ms_production_options {
    const char *preset;
    const char *storage; /* "f32", "bf16", "both"; NULL: the preset's */
    bool ops, runs;      /* shapes; training steps */
    bool quick;          /* 2 steps instead of 10 */
    bool plant;          /* faults in each shape and run, instead: each must be found */
    uint64_t seed;
} ms_production_options;

/* Prints what will be checked, what memory it takes and an estimate of its time; then adds a row for each distinct
   product, attention and loss of a step (production_shapes.h), within the bounds of production_inputs.h, and for each
   storage one for 10 training steps on tokens of train/zipf.h, by drift.h with the noise on this device too.  The
   device is opened twice.  MS_NOT_FOUND: the preset; MS_OUT_OF_MEMORY before anything is allocated: it does not fit;
   MS_DEVICE_LOST, MS_INTERRUPTED.  Other errors of a shape or run are its row. */
ms_status ms_verify_production(const ms_production_options *options, const char *device, ms_verify_report *report);

#endif
