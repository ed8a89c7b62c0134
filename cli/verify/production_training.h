/* The training steps of `muonscope verify --production`. */
#ifndef MS_CLI_VERIFY_PRODUCTION_TRAINING_H
#define MS_CLI_VERIFY_PRODUCTION_TRAINING_H

#include "cli/verify/production_case.h"
#include "train/trainer.h"

typedef struct ms_production_training {
    const ms_production_devices *devices;
    const ms_trainer_options *fast, *exact; /* borrowed; of one model */
    int n_steps;
    bool plant; /* change a weight of the `fast` run before its first step */
} ms_production_training;

/* Runs `exact`, `exact` with noise and `fast` one after the other, so that one of them is in memory at a time; prints
   their losses beside each other, and judges (drift.h) into row.  Errors of the trainer; MS_INTERRUPTED. */
ms_status ms_production_train(const ms_production_training *training, ms_verify_row *row);

#endif
