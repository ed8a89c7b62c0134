/* What the tests of runs share.  Runs lie in the temporary folder of tests/model/data_files.h. */
#ifndef MS_TESTS_TRAIN_RUNS_H
#define MS_TESTS_TRAIN_RUNS_H

#include "train/run.h"

/* A model of two layers on the built-in data. */
ms_run_options runs_small(int64_t n_steps);
/* The same on the shards of runs_prepare_data("data"). */
ms_run_options runs_on_shards(int64_t n_steps);
/* The folder and the device (the CPU, `exact`, one thread) of a test: a checked fixture. */
extern ms_device *runs_device;
void runs_open(void);
void runs_close(void);
/* A new run in the folder of that name; `runs_new`: trained to its end.  The caller closes it. */
ms_run *runs_begin(const ms_run_options *options, const char *name);
ms_run *runs_new(const ms_run_options *options, const char *name);
/* The run in the folder of that name, gone on with: from its newest checkpoint, and, `runs_resume`, to its end. */
ms_run *runs_reopen(const ms_run_options *options, const char *name);
ms_run *runs_resume(const ms_run_options *options, const char *name);
/* How often `part` is in a file. */
int runs_count(const char *path, const char *part);
/* Shards of a small text, with a tokenizer of 257 tokens, in the folder of that name. */
void runs_prepare_data(const char *name);
/* The same with another text. */
void runs_prepare_other_data(const char *name);

#endif
