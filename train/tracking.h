/* Between trainer and tracker: the norms of every step, and snapshots around an update.  A step with spectra:

       ms_tracking_hooks(tracking, step % 25 == 0, &hooks);
       ms_trainer_step(trainer, source, &hooks, &result);
       ms_tracking_after_update(tracking);

   Where ranks share a job, each tracks the matrices that it updates.  Rank 0 has the files, and calls what is below;
   the others open their tracking when it opens its own (MS_GROUP_TRACK), and follow.  What they have computed goes to
   rank 0 before a snapshot, at least every MS_STEP_SIGMA_KEPT / 2 steps where each is followed, and in
   ms_tracking_drain: lines come that much later than on one rank, and are the same.  Errors are those of any rank. */
#ifndef MS_TRAIN_TRACKING_H
#define MS_TRAIN_TRACKING_H

#include "train/parallel/group.h"
#include "train/trainer.h"
#include "tracker/step_sigma.h"
#include "tracker/tracker.h"

typedef struct ms_tracking ms_tracking;

typedef struct ms_tracking_options {
    int32_t n_slots;   /* snapshots that may wait or be in work at once; 0: 2 */
    int32_t n_threads; /* that compute; 0: as many as the device has, or 1 */
    ms_when_behind when_behind;
    struct ms_watch *watch;  /* sees the lines (tracker/watch.h), borrowed; NULL: nobody does */
    const char *full_folder; /* complete spectra go there (tracker/full_spectra.h), borrowed; NULL: none do */
    ms_every_step every_step;
    int64_t planned_every; /* of a resumed run: steps between the snapshots that it has; 0: not known */
} ms_tracking_options;

/* Where the lines go, and after which step. */
typedef struct ms_tracking_files {
    const char *spectra;       /* spectra.jsonl; NULL: on a rank that follows */
    const char *sigma_max;     /* sigma_max.jsonl; touched only where something is followed at every step */
    int64_t resume_after_step; /* -1, or the step of the checkpoint */
} ms_tracking_files;

/* Tracks every matrix of train/matrices.h of an allocated trainer.  The caller closes it before the trainer. */
ms_status ms_tracking_open(ms_trainer *trainer, const ms_tracking_options *wanted, const ms_tracking_files *files,
                           ms_tracking **out);
/* Bytes of host memory that tracking a trainer's matrices will take, with the copies that its device makes. */
size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted);
/* Bytes on disk that complete spectra take at most, snapshot by snapshot. */
size_t ms_tracking_full_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted);
/* Completes the last snapshot, waits for the background work and closes the file; its first error.  Where ranks share
   it, what was not drained is dropped.  NULL is fine. */
ms_status ms_tracking_close(ms_tracking *tracking);

/* Hands the weights as they are, before any update, to the tracker: the lines of step 0.  Before the first step. */
ms_status ms_tracking_take_first(ms_tracking *tracking);

/* For the coming step: fetches what the snapshot of the last step still lacks, the new weights of that step where every
   step is followed, and the old weights when the coming one is to be captured. */
ms_status ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot, ms_step_hooks *out);
/* After the update: folds the step's norms into the maxima, and its rate into the noise null.  A snapshot that was
   begun is complete but for the new weights, which are fetched while the next step's gradients are made, or by
   ms_tracking_drain. */
void ms_tracking_after_update(ms_tracking *tracking);
/* Completes the last snapshot and waits until all lines are in the files. */
ms_status ms_tracking_drain(ms_tracking *tracking);
/* MS_IO: a file is no longer at its path (ms_run_log_check of tracker/run_log.h). */
ms_status ms_tracking_check_files(const ms_tracking *tracking);
/* What opening the files found (ms_run_log_get_mending of tracker/run_log.h): of spectra.jsonl; of sigma_max.jsonl,
   NULL where no step is followed.  Borrowed. */
const struct ms_run_log_mending *ms_tracking_mending(const ms_tracking *tracking);
const struct ms_run_log_mending *ms_tracking_step_mending(const ms_tracking *tracking);
/* The same of the index of complete spectra; NULL: there are none. */
const struct ms_run_log_mending *ms_tracking_full_mending(const ms_tracking *tracking);
/* A line that warns of ranks whose processors compute other last digits; NULL: there are none.  Borrowed. */
const char *ms_tracking_note(const ms_tracking *tracking);
int64_t ms_tracking_n_skipped(const ms_tracking *tracking);

/* State for a checkpoint, as texts. */
enum {
    MS_TRACKING_NORMS,  /* the maxima since the last snapshot, and the noise null */
    MS_TRACKING_GROWTH, /* what bounds the growth of s1 (train/growth.h) */
    MS_TRACKING_LAST,   /* what the next snapshot is compared with (ms_tracker_state) */
    MS_TRACKING_STEPS,  /* of what is followed at every step (ms_step_sigma_state) */
    MS_TRACKING_N_TEXTS
};
/* Their keys in the checkpoint.  Static. */
extern const char *const ms_tracking_text_keys[MS_TRACKING_N_TEXTS];
/* After ms_tracking_drain.  NULL: there is none.  malloc'ed, the caller frees them, also after an error. */
ms_status ms_tracking_state(ms_tracking *tracking, char *out_texts[MS_TRACKING_N_TEXTS]);
/* MS_CORRUPT: not such texts.  An empty one, of a checkpoint that lacks it, restores nothing. */
ms_status ms_tracking_restore(ms_tracking *tracking, const char *const texts[MS_TRACKING_N_TEXTS]);

/* On a rank that follows: the hooks of a step for which rank 0 wants a snapshot or not, before which it was asked for
   it; and what rank 0 asks for between steps, MS_GROUP_TRACK_FIRST and what follows it. */
ms_step_hooks ms_tracking_follow_step(ms_tracking *tracking, bool want_snapshot);
ms_status ms_tracking_follow(ms_tracking *tracking, ms_group_command command, int64_t argument);

#endif
