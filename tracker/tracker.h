/* The spectral tracker: takes snapshots of weight matrices before and after an update, and computes their metrics
   (tracker/spectrum.h) in the background while training goes on.

   A bounded ring of slots holds the snapshots.  The trainer acquires a slot, fills it, submits it; one background
   thread takes them in order, computes the matrices in parallel on its own pool, and appends one JSON line per matrix
   to spectra.jsonl, in the order of the matrices, flushed per snapshot.  Each matrix is computed by one thread, so the
   file does not depend on the number of threads.

   Keys of a line: the rows of tracker/metrics.def, in their order; an undefined metric is null.  W is the matrix after
   the update of `step`.

   acquire, submit, drain, close and the getters belong to one thread (the trainer's). */
#ifndef MS_TRACKER_TRACKER_H
#define MS_TRACKER_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/tracked_matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_tracker ms_tracker;

/* What is kept of a snapshot: the metrics alone, or all singular values too (tracker/full_spectra.h). */
typedef enum ms_spectra_kept { MS_SPECTRA_SUMMARY, MS_SPECTRA_FULL } ms_spectra_kept;
/* Names by value; ends with NULL. */
extern const char *const ms_spectra_kept_names[];

/* What happens to a snapshot when no slot is free. */
typedef enum ms_when_behind {
    MS_WHEN_BEHIND_WAIT, /* the trainer waits for one */
    MS_WHEN_BEHIND_SKIP  /* it is not taken */
} ms_when_behind;
/* Names by value; ends with NULL. */
extern const char *const ms_when_behind_names[];

typedef struct ms_tracker_options {
    const char *path;                  /* spectra.jsonl, copied; NULL: no file, another tracker has it */
    const ms_tracked_matrix *matrices; /* in the order of the lines, copied */
    int n_matrices;                    /* >= 1 */
    int n_slots;                       /* snapshots that may be in flight, >= 1 */
    int n_threads;                     /* that compute, >= 1 */
    ms_when_behind when_behind;
    int64_t resume_after_step; /* -1: a new file; else drop the lines of later steps (ms_run_log_open) */
    int64_t planned_every;     /* steps between the snapshots up to resume_after_step; 0: not known.  Lines that are
                                  missing are counted by it (ms_tracker_mending) */
    bool has_momentum, has_orthogonal; /* snapshots have them */
    struct ms_watch *watch;            /* sees the lines (tracker/watch.h), borrowed; NULL: nobody does */
    const char *full_folder;           /* complete spectra go there (tracker/full_spectra.h), copied; NULL: none do */
    bool stops_at_signal;  /* a signal (platform/signals.h) ends the snapshot in work before its next matrix: nothing of
                              it is written, and MS_INTERRUPTED is the error of the background thread */
    const bool *elsewhere; /* [n_matrices] which of them other trackers compute, row groups of one stored matrix in one
                              place; copied; NULL: none.  See ms_tracker_given */
} ms_tracker_options;

/* One snapshot.  The arrays belong to the tracker and are the caller's to fill between acquire and submit.  Those of
   weights have one entry per matrix that is computed here: n below. */
typedef struct ms_tracker_slot {
    bool has_update;       /* true when acquired; false: the state before any update, weight_before does not count */
    float **weight_before; /* [n] -> [rows, cols], row-major */
    float **weight_after;  /* the same, after the update; what follows lies behind it, so that weight_after[n] is the
                              first of momentum, or of orthogonal where that is all there is */
    float **momentum;      /* u, what entered the orthogonalisation; NULL unless options.has_momentum */
    float **orthogonal;    /* O, what it gave, before any scale; NULL unless options.has_orthogonal */
    double decay_share;    /* of the matrix that decay took away in this step; NaN (as acquired): not known */
/* The SLOT rows of tracker/metrics.def, [n_matrices] each: reported as given (null where not finite), 0 when
   acquired.  But the two efficiencies are made by the tracker, and it adds s1 before any update, which is that of the
   first snapshot without an update: ceiling and ceiling_measured are given without it, ceiling_decay is K / lambda. */
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...) double *key;
#include "tracker/metrics.def"
} ms_tracker_slot;

/* Bytes that a tracker with these options takes (direct SVDs of ill-conditioned matrices take more, for as long as they
   run). */
size_t ms_tracker_planned_bytes(const ms_tracker_options *options);

/* Bytes on disk that a snapshot's complete spectra take, with their part of the index, at most. */
size_t ms_tracker_full_bytes(const ms_tracker_options *options);

/* Opens the file and starts the threads.  The caller closes the tracker.
   MS_INVALID: a count or shape below 1, a NULL name, no such when_behind, or one stored matrix in two places.  Errors
   of ms_run_log_open. MS_OUT_OF_MEMORY. */
ms_status ms_tracker_create(const ms_tracker_options *options, ms_tracker **out);

/* A slot to fill.  *out_slot is NULL with MS_OK when all slots are busy under MS_WHEN_BEHIND_SKIP; the skip is
   counted. Waits otherwise.  Slots are used in order, and one must be submitted before the next is acquired: MS_INVALID
   otherwise. Any error of the background thread, with its message; it stays, and nothing is computed any more. */
ms_status ms_tracker_acquire(ms_tracker *tracker, ms_tracker_slot **out_slot);

/* Hands the acquired slot to the background thread; it may not be touched any more.  MS_INVALID: not the acquired slot.
   Errors of the background thread as in ms_tracker_acquire. */
ms_status ms_tracker_submit(ms_tracker *tracker, ms_tracker_slot *slot, int64_t step, int64_t tokens);

/* Waits until every submitted snapshot is in the file.  Call it before a checkpoint is written: a run resumed from the
   checkpoint then has all lines up to its step.  Errors of the background thread as in ms_tracker_acquire. */
ms_status ms_tracker_drain(ms_tracker *tracker);

/* What the next snapshot is compared with (tracker/last.h), as text for a checkpoint, after all submitted snapshots are
   in the file.  malloc'ed, the caller frees it.  MS_OUT_OF_MEMORY; errors of ms_tracker_drain. */
ms_status ms_tracker_state(ms_tracker *tracker, char **out_text);
/* And back, before the first snapshot of a resumed run, which stands at latest_step.  MS_CORRUPT: not such a text, or
   of other matrices; the next snapshot is then compared with nothing. */
ms_status ms_tracker_restore(ms_tracker *tracker, const char *text, int64_t latest_step);

/* What opening the file found (ms_run_log_get_mending of tracker/run_log.h).  Lines are missing when a snapshot
   lacks a matrix, or is missing as a whole and planned_every says so.  Borrowed. */
const struct ms_run_log_mending *ms_tracker_mending(const ms_tracker *tracker);
/* The same of the index of complete spectra; NULL: there are none. */
const struct ms_run_log_mending *ms_tracker_full_mending(const ms_tracker *tracker);

/* MS_IO: the file, or the index of complete spectra, is no longer at its path: it was removed, renamed or replaced. */
ms_status ms_tracker_check_file(const ms_tracker *tracker);

/* Processor seconds of all snapshots so far, [MS_SPECTRUM_N_COSTS] (tracker/costs.def), after the submitted ones are in
   the file.  Errors of ms_tracker_drain. */
ms_status ms_tracker_seconds(ms_tracker *tracker, double *out_seconds);

/* Snapshots skipped so far. */
int64_t ms_tracker_n_skipped(const ms_tracker *tracker);

/* Several trackers of the same snapshots, on machines of one kind: each computes the matrices that its options do not
   say to be elsewhere, and all get the same snapshots in the same order.  One has the files.  It writes a snapshot when
   it has been given what the others have computed: their results as bytes, and the numbers of its slot; its slot is
   free when it is written.  The results of the others are kept until n_slots later snapshots were acquired.  Snapshots
   are counted from 0 since the tracker was made.  All of this belongs to the trainer's thread. */
int64_t ms_tracker_n_submitted(const ms_tracker *tracker);
/* The slot of a snapshot that is submitted and not yet given: only the numbers are the caller's.  And its step. */
ms_tracker_slot *ms_tracker_submitted(ms_tracker *tracker, int64_t i_snapshot, int64_t *out_step);
/* Waits until the own matrices of n snapshots are computed, but no longer than that; gives how many are.  Errors of the
   background thread. */
ms_status ms_tracker_wait_computed(ms_tracker *tracker, int64_t n, double seconds, int64_t *out_n_computed);
/* Of matrix i in a snapshot, everything that was computed. */
size_t ms_tracker_result_bytes(const ms_tracker *tracker, int i);
void ms_tracker_get_result(const ms_tracker *tracker, int64_t i_snapshot, int i, void *out);
void ms_tracker_put_result(ms_tracker *tracker, int64_t i_snapshot, int i, const void *bytes);
/* All results of the first n_snapshots were put, and their slots have their numbers: they will be written. */
void ms_tracker_given(ms_tracker *tracker, int64_t n_snapshots);
/* What the next snapshot of matrix i is compared with, while none is in work. */
size_t ms_tracker_last_bytes(const ms_tracker *tracker, int i);
void ms_tracker_get_last(const ms_tracker *tracker, int i, void *out);
void ms_tracker_put_last(ms_tracker *tracker, int i, const void *bytes);

/* Drains, stops the threads, closes the file and frees everything; an acquired slot is dropped, and so are snapshots
   that lack results of other trackers.  NULL is fine.  Returns
   the first error of the background thread or of closing the file; the tracker is gone either way. */
ms_status ms_tracker_close(ms_tracker *tracker);

#ifdef __cplusplus
}
#endif

#endif
