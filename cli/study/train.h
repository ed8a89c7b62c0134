/* A run of a study, made in this process as `muonscope train` would make it.  Not thread-safe: signals are the
   process's. */
#ifndef MS_CLI_STUDY_TRAIN_H
#define MS_CLI_STUDY_TRAIN_H

#include "cli/config/config.h"

/* How a run went. */
typedef struct ms_study_outcome {
    double start_seconds, seconds; /* until its first step; in all */
    char device[160];              /* ms_run_device */
} ms_study_outcome;

/* Begins the run in the folder `path`, or goes on with it from its newest checkpoint, and trains it to its end; the
   text that the configuration asks for goes to standard output.  n_threads: in place of train.threads; 0: as it is.
   quiet: nothing is printed.  MS_INTERRUPTED: a signal came, everything is saved; errors of ms_run_create,
   ms_run_resume and ms_run_train. */
ms_status ms_study_train(const ms_config *config, const char *path, int64_t n_threads, bool quiet,
                         ms_study_outcome *out);

#endif
