/* Trainers without a run, on the built-in data. */
#ifndef MS_TESTS_TRAIN_JOBS_H
#define MS_TESTS_TRAIN_JOBS_H

#include "train/trainer.h"

/* A model of one layer and 11 tokens. */
ms_trainer_options job_small_options(void);

typedef struct job {
    ms_device *device;
    ms_trainer *trainer;
    ms_dataset *data;
} job;

/* On the CPU, `exact`, two threads; not allocated.  The caller closes it. */
job job_open(const ms_trainer_options *options);
/* The same with its initial weights. */
job job_start(const ms_trainer_options *options);
void job_close(job *j);

#endif
