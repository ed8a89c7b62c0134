/* Between trainer and tracker: which matrices are tracked, the norms of every step, and snapshots around an update. */
#ifndef MS_TRAIN_TRACKING_H
#define MS_TRAIN_TRACKING_H

#include "cli/config/config.h"
#include "train/trainer.h"
#include "tracker/tracker.h"

typedef struct ms_tracking ms_tracking;

/* Every row group of every block matrix, layer by layer.  path: spectra.jsonl.  resume_after_step: -1 or the step of
   the checkpoint.  The caller closes it before the trainer. */
ms_status ms_tracking_open(ms_trainer *trainer, const ms_config *config, const char *path, int64_t resume_after_step,
                           ms_tracking **out);
/* Bytes of host memory that tracking a trainer's matrices will take, with the copies that its device makes. */
size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_config *config);
/* Completes the last snapshot, waits for the background work and closes the file; its first error.  NULL is fine. */
ms_status ms_tracking_close(ms_tracking *tracking);

/* For the coming step: fetches what the snapshot of the last step still lacks, and the old weights when the coming one
   is to be captured. */
ms_step_hooks ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot);
/* After the update: folds the step's norms into the maxima.  A snapshot that was begun is complete but for the new
   weights, which are fetched while the next step's gradients are made, or by ms_tracking_drain. */
void ms_tracking_after_update(ms_tracking *tracking);
/* Completes the last snapshot and waits until all are in the file. */
ms_status ms_tracking_drain(ms_tracking *tracking);
int64_t ms_tracking_n_skipped(const ms_tracking *tracking);

/* The maxima since the last snapshot as text, for a checkpoint; malloc'ed, the caller frees it. */
ms_status ms_tracking_state(const ms_tracking *tracking, char **out_text);
/* MS_CORRUPT: not such a text. */
ms_status ms_tracking_restore(ms_tracking *tracking, const char *text);

#endif
