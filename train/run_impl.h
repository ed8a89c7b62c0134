/* What run_open.c, run_resume.c and loop.c share.  Internal to train/. */
#ifndef MS_TRAIN_RUN_IMPL_H
#define MS_TRAIN_RUN_IMPL_H

#include "train/run.h"

/* The text that config.yaml of the run has from here on.  The caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_run_config_file(const ms_run *run, char **out_text);
/* Reads all data and keeps their identities in the run: the data of a run is what it was prepared as, and what its
   checkpoint was trained on.  Errors of ms_dataset_check_contents. */
ms_status ms_run_check_data(ms_run *run);
/* Measures the peak and allocates the trainer. */
ms_status ms_run_allocate(ms_run *run);
/* What a run does in its folder before its first step: tokenizer, dataset.json, weights, empty logs. */
ms_status ms_run_begin(ms_run *run);
/* With run.log attached: opens metrics and spectra, with the lines up to resumed_step; says what was mended. */
ms_status ms_run_open_logs(ms_run *run);

#endif
