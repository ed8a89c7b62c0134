/* An append-only JSON-lines file with one object per line, each with an integer key "step", 0 or more, and others:
   metrics.jsonl, spectra.jsonl, probes.jsonl, sigma_max.jsonl and hashes.jsonl of a run.  Lines are flushed to the
   operating system as they are appended, so that a crash at any moment leaves at most one partial last line, which is
   dropped when the file is opened again. */
#ifndef MS_TRACKER_RUN_LOG_H
#define MS_TRACKER_RUN_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/run_log_keys.h"

typedef struct ms_run_log ms_run_log;

/* Which lines a run writes, and has written up to its checkpoint. */
typedef struct ms_run_log_plan {
    int64_t every;          /* lines are due at step 1 and at multiples of this; 0: not known, no step need have any */
    int64_t lines_per_step; /* of a step that is due or has any; at least 1 */
    const ms_run_log_key *keys; /* what each line has, borrowed for as long as the log is open; NULL: not known */
    /* Whether the run has what such a line tells of (its matrix, its layer); NULL: not known.  Called while the log is
       opened, of lines with these keys. */
    bool (*is_own)(const void *context, const json_t *line);
    const void *context;
} ms_run_log_plan;

/* What opening a log for a resumed run found. */
typedef struct ms_run_log_mending {
    int64_t n_bad, first_bad_line;           /* complete lines that are none as above */
    int64_t n_foreign, first_foreign_line;   /* lines without the plan's keys, or of what the run has not */
    int64_t n_repeated, first_repeated_line; /* lines that say again what an earlier one says */
    int64_t n_back, first_back_line;         /* lines that go back in steps: the fewest that there can be */
    int64_t n_missing, first_missing_step;   /* lines of the plan up to resume_after_step that are not there */
} ms_run_log_mending;

/* Opens `path` for appending.  resume_after_step -1: a new, empty file (an old one is emptied).  Otherwise the complete
   lines with step <= resume_after_step are kept and the rest is dropped, bad, foreign and repeated lines and those that
   go back in steps too (by writing the kept lines under a temporary name and renaming; nothing is written where nothing
   is dropped); a missing file is created.  Of lines that tell of the same (ms_run_log_subject_by_keys;
   ms_run_log_subject where the plan has no keys) the first is kept; a line with "validation_loss" is none of the
   plan's.  plan NULL: a line a step.  The caller closes the log.
   MS_INVALID: resume_after_step below -1, or a plan of fewer than 0 steps or 1 line.  MS_IO: also when `path` is a link
   or not a regular file.  MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_run_log_open(const char *path, int64_t resume_after_step, const ms_run_log_plan *plan, ms_run_log **out);
/* All 0 for a new log.  Borrowed: valid until the log is closed. */
const ms_run_log_mending *ms_run_log_get_mending(const ms_run_log *log);

/* Significant digits of the reals of lines that are appended from here on, 1 to 17 (as opened). */
void ms_run_log_set_digits(ms_run_log *log, int digits);

/* Whether a line of this step has the key.  Lines that are no objects are passed over; a missing file has none.  MS_IO,
   MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_run_log_find(const char *path, int64_t step, const char *key, bool *out_found);

/* Calls `visit` with every line that is an object as above, in the order of the file, until it fails; a missing file
   has none.  The object is borrowed until `visit` returns; it may take a reference.  MS_IO, MS_OUT_OF_MEMORY, errors of
   `visit`.  Thread-safe. */
ms_status ms_run_log_visit(const char *path, ms_status (*visit)(void *context, json_t *line), void *context);

/* The greatest step of all lines, -1: there is none.  Otherwise as ms_run_log_find. */
ms_status ms_run_log_last_step(const char *path, int64_t *out_step);

/* Appends one object as a line, keys in the order they were set, reals with 17 significant digits (which round-trip)
   unless ms_run_log_set_digits was called.
   Borrows the object.  MS_INVALID: not an object as above, or without the plan's keys.  MS_NO_SPACE, MS_IO: the line
   may be partial, and every later append returns the same error.  Not thread-safe on one log. */
ms_status ms_run_log_append(ms_run_log *log, const json_t *object);

/* As ms_run_log_append for each object of an array, written with one flush. */
ms_status ms_run_log_append_all(ms_run_log *log, const json_t *array);

/* MS_IO: the file is no longer at its path: it was removed, renamed or replaced, and what is appended is lost; or it is
   shorter than what was written. */
ms_status ms_run_log_check(const ms_run_log *log);

/* Flushes and closes; NULL is fine.  MS_NO_SPACE, MS_IO; the log is gone either way. */
ms_status ms_run_log_close(ms_run_log *log);

/* A hash of what a line tells of, whatever it measured: its step, its keys, its texts and its integers ("tokens"
   aside), which say of which layer and matrix it is.  Two lines of a run never agree in that.  Not 0. */
uint64_t ms_run_log_subject(json_t *object);

/* json_real(value), or null where `value` is not finite.  The caller owns the reference; NULL when out of memory. */
json_t *ms_run_log_real(double value);

#endif
