/* A training run in its folder: data, trainer, tracker, logs and checkpoints tied together.  One thread. */
#ifndef MS_TRAIN_RUN_H
#define MS_TRAIN_RUN_H

#include "train/run_folder.h"
#include "train/tracking.h"
#include "train/trainer.h"
#include "model/data/tokenizer.h"
#include "platform/log.h"
#include "tracker/run_log.h"

typedef struct ms_train_run {
    ms_config config;
    ms_run_folder folder;
    bool has_folder;
    bool quiet; /* no step lines, and no measurement for them */
    ms_logger *logger;
    ms_dataset *train, *validation; /* validation NULL: switched off */
    ms_tokenizer *tokenizer;        /* NULL: the data has none */
    ms_device *device;
    ms_trainer *trainer;
    ms_tracking *tracking; /* NULL: switched off */
    ms_run_log *metrics;
    int64_t n_steps;
    int64_t resumed_step;                      /* -1: a new run */
    int64_t saved_step;                        /* of the last checkpoint; -1: none yet */
    double peak_flops;                         /* of matrix products, measured at the start, FLOP/s */
    char config_hash[65];                      /* of the keys that must not change */
    char weights_sha256[65], state_sha256[65]; /* of the last checkpoint */
    double last_loss, last_validation;         /* NAN: none yet */
    int n_choices;                             /* of the device, in run.log so far */
} ms_train_run;

/* Opens data, device and trainer for run->config (set by the caller in a zeroed run) and plans memory, but touches no
   folder and allocates no device memory: all that --dry-run needs.  Call ms_train_run_close also after an error. */
ms_status ms_train_run_plan(ms_train_run *run);
/* The device of a planned run, its numerics, and its threads or its description and UUID, on one line. */
void ms_train_run_device(const ms_train_run *run, char *out, size_t size);
/* Prints the start-up table. */
void ms_train_run_print(const ms_train_run *run, FILE *stream);
/* Starts a new run in `path`, or goes on with the one whose folder is already open (run->has_folder). */
ms_status ms_train_run_start(ms_train_run *run, const char *path);
/* Trains to the last step, or to the first signal (then MS_OK, with everything saved). */
ms_status ms_train_run_train(ms_train_run *run);
void ms_train_run_close(ms_train_run *run);

/* Text that follows the prompt, drawn with the weights of the last checkpoint, to `stream`.  Takes the place of the
   trainer on the device: its memory is given back first, and no step can follow. */
ms_status ms_train_run_sample(ms_train_run *run, FILE *stream);

/* SHA-256 over the fixed keys of a configuration and the vocabulary. */
ms_status ms_config_fixed_hash(const ms_config *config, int32_t vocabulary, char out_hexadecimal[65]);

#endif
