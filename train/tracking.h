/* Between trainer and tracker: the norms of every step, and snapshots around an update.  A step with spectra:

       ms_step_hooks hooks = ms_tracking_hooks(tracking, step % 25 == 0);
       ms_trainer_step(trainer, source, &hooks, &result);
       ms_tracking_after_update(tracking); */
#ifndef MS_TRAIN_TRACKING_H
#define MS_TRAIN_TRACKING_H

#include "train/trainer.h"
#include "tracker/tracker.h"

typedef struct ms_tracking ms_tracking;

typedef struct ms_tracking_options {
    int32_t n_slots;   /* snapshots that may wait or be in work at once; 0: 2 */
    int32_t n_threads; /* that compute; 0: as many as the device has, or 1 */
    ms_when_behind when_behind;
    int64_t planned_every;   /* of a resumed run: steps between the snapshots that it has; 0: not known */
    struct ms_watch *watch;  /* sees the lines (tracker/watch.h), borrowed; NULL: nobody does */
    const char *full_folder; /* complete spectra go there (tracker/full_spectra.h), borrowed; NULL: none do */
} ms_tracking_options;

/* Tracks every matrix of train/matrices.h of an allocated trainer.  path: spectra.jsonl.  resume_after_step: -1 or the
   step of the checkpoint.  The caller closes it before the trainer. */
ms_status ms_tracking_open(ms_trainer *trainer, const ms_tracking_options *wanted, const char *path,
                           int64_t resume_after_step, ms_tracking **out);
/* Bytes of host memory that tracking a trainer's matrices will take, with the copies that its device makes. */
size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted);
/* Bytes on disk that complete spectra take at most, snapshot by snapshot. */
size_t ms_tracking_full_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted);
/* Completes the last snapshot, waits for the background work and closes the file; its first error.  NULL is fine. */
ms_status ms_tracking_close(ms_tracking *tracking);

/* Hands the weights as they are, before any update, to the tracker: the lines of step 0.  Before the first step. */
ms_status ms_tracking_take_first(ms_tracking *tracking);

/* For the coming step: fetches what the snapshot of the last step still lacks, and the old weights when the coming one
   is to be captured. */
ms_step_hooks ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot);
/* After the update: folds the step's norms into the maxima, and its rate into the noise null.  A snapshot that was
   begun is complete but for the new weights, which are fetched while the next step's gradients are made, or by
   ms_tracking_drain. */
void ms_tracking_after_update(ms_tracking *tracking);
/* Completes the last snapshot and waits until all are in the file. */
ms_status ms_tracking_drain(ms_tracking *tracking);
/* MS_IO: a file is no longer at its path (ms_run_log_check of tracker/run_log.h). */
ms_status ms_tracking_check_file(const ms_tracking *tracking);
/* What opening the file found (ms_run_log_get_mending of tracker/run_log.h).  Borrowed. */
const struct ms_run_log_mending *ms_tracking_mending(const ms_tracking *tracking);
/* The same of the index of complete spectra; NULL: there are none. */
const struct ms_run_log_mending *ms_tracking_full_mending(const ms_tracking *tracking);
int64_t ms_tracking_n_skipped(const ms_tracking *tracking);

/* State for a checkpoint, as text: the maxima since the last snapshot and the noise null; and what the next snapshot is
   compared with (ms_tracker_state).  malloc'ed, the caller frees both, also after an error. */
ms_status ms_tracking_state(const ms_tracking *tracking, char **out_norms, char **out_last);
/* MS_CORRUPT: not such texts.  An empty one, of a checkpoint that lacks it, restores nothing. */
ms_status ms_tracking_restore(ms_tracking *tracking, const char *norms, const char *last);

#endif
