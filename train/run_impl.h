/* What run_open.c, run_copies.c, run_resume.c and loop.c share.  Internal to train/. */
#ifndef MS_TRAIN_RUN_IMPL_H
#define MS_TRAIN_RUN_IMPL_H

#include "train/run.h"

/* The text that config.yaml of the run has from here on.  The caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_run_config_file(const ms_run *run, char **out_text);
/* Reads all data and keeps their identities in the run: the data of a run is what it was prepared as, and what its
   checkpoint was trained on.  Errors of ms_dataset_check_contents. */
ms_status ms_run_check_data(ms_run *run);
/* Rank 0 of several, with its data checked: all ranks compare themselves with it.  Else nothing.  MS_MISMATCH names
   rank, host and what differs. */
ms_status ms_run_compare_ranks(ms_run *run);
/* Compares ranks, measures the peak and allocates the trainer. */
ms_status ms_run_allocate(ms_run *run);
/* Writes tokenizer.json and dataset.json of the data into the folder, and keeps which token ends a text.  Errors of
   ms_tokenizer_save, ms_file_read, ms_file_write and ms_sidecar_read. */
ms_status ms_run_keep_copies(ms_run *run);
/* The same for a resumed run whose checkpoint knows this tokenizer (NULL: none): a copy that cannot be read, is a link
   or belongs to another tokenizer is written again where the data have the file, which a warning says.  MS_CORRUPT:
   they have not.  MS_OUT_OF_MEMORY; errors of ms_run_keep_copies. */
ms_status ms_run_mend_copies(ms_run *run, const char *tokenizer_sha256);
/* Whether what ms_run_open_logs and ms_samples_cut cut can be opened, read and written: nothing is changed.  MS_IO
   names what cannot: also a link. */
ms_status ms_run_check_logs(const ms_run *run);
/* What a run does in its folder before its first step: tokenizer, dataset.json, weights, empty logs. */
ms_status ms_run_begin(ms_run *run);
/* Says that n_foreign bytes of samples.txt were no sample, and are dropped; nothing for 0. */
void ms_run_warn_of_samples(ms_run *run, int64_t n_foreign);
/* With run.log attached: opens metrics and spectra, with the lines up to resumed_step; says what was mended. */
ms_status ms_run_open_logs(ms_run *run);

#endif
