/* One training run of `muonscope verify`: a preset in a temporary run folder, and what came out of it. */
#ifndef MS_CLI_VERIFY_TRAINING_H
#define MS_CLI_VERIFY_TRAINING_H

#include "cli/config/config.h"
#include "train/parallel/group.h"
#include "train/trainer.h"

enum { MS_VERIFY_MAX_STEPS = 64 };

/* A segment of a run on one device. */
typedef struct ms_verify_segment {
    const char *folder;      /* of the run */
    ms_device *device;       /* borrowed: open, in the configuration's numerics */
    const ms_config *config; /* steps of this segment and all else; its device is only named */
    ms_group *group;         /* borrowed; the ranks that share it, of which this is one; NULL: it is alone */
    bool resume;             /* go on with the run in the folder */
    uint32_t plant;          /* not 0: exclusive-or of one weight on the device, before the first step */
    double noise;            /* not 0: every weight is multiplied by 1 + noise or 1 - noise before each step */
} ms_verify_segment;

typedef struct ms_verify_outcome {
    char weights_sha256[65], state_sha256[65];
    double losses[MS_VERIFY_MAX_STEPS]; /* of each step so far, those before a resumption too */
    int32_t n_losses;
    char *spectra; /* the lines of spectra.jsonl, owned; NULL: none */
    size_t spectra_bytes;
} ms_verify_outcome;

/* Trains without printing.  Errors of the run; MS_INTERRUPTED: a signal ended it.  The caller finishes the outcome,
   which stays empty where this rank follows another. */
ms_status ms_verify_train(const ms_verify_segment *segment, ms_verify_outcome *out);
/* Multiplies every weight by 1 + noise or 1 - noise; which, depends on the step.  MS_OUT_OF_MEMORY, errors of the
   device. */
ms_status ms_verify_add_noise(ms_trainer *trainer, double noise);
/* Exclusive-or of the first gain of the last norm: every token's logits depend on it, with a head of its own too. */
ms_status ms_verify_plant_weight(ms_trainer *trainer, uint32_t change);
/* A zeroed one is fine. */
void ms_verify_outcome_finish(ms_verify_outcome *outcome);

#endif
