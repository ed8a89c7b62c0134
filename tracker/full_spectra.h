/* Complete spectra of a run: all singular values of every matrix at every snapshot, in a folder of its own:

       step_00000025.npy   f64 [rows, longest]: a spectrum a row, descending, NaN behind its last value
       index.jsonl         a line for each row of each file: the keys of tracker/full_spectra.def

   A file is written under a temporary name, synced and renamed before its lines are appended to the index: a crash at
   any moment leaves nothing that the next resumption does not remove.  One thread at a time. */
#ifndef MS_TRACKER_FULL_SPECTRA_H
#define MS_TRACKER_FULL_SPECTRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/run_log.h"
#include "tracker/spectrum.h"
#include "tracker/tracked_matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_full_spectra ms_full_spectra;

typedef struct ms_full_options {
    const char *folder;                       /* copied; NULL: nothing is written */
    const ms_tracked_matrix *matrices;        /* in the order of the rows; borrowed, with their names */
    int n_matrices;                           /* >= 1 */
    bool has_momentum, has_orthogonal;        /* snapshots have them */
    int64_t resume_after_step, planned_every; /* as ms_tracker_options has them */
} ms_full_options;

/* Removes what a run that goes on after a step makes again, or does not make: files of later steps and what was not
   finished, and the lines of the index; step -1: all of them.  A folder that is not there is fine; what has another
   name is left alone.  out_mending: what opening the index found, all 0 where there is no folder.  MS_IO: also when a
   link is in the place of the folder.  Errors of ms_run_log_open. */
ms_status ms_full_spectra_cut(const char *folder, int64_t after_step, ms_run_log_mending *out_mending);

/* The same, and opens the folder, which is made where it is missing, to go on.  The caller closes it.
   MS_OUT_OF_MEMORY; errors of ms_full_spectra_cut. */
ms_status ms_full_spectra_open(const ms_full_options *options, ms_full_spectra **out);
/* Bytes of memory that it takes, those of the values of a snapshot, which belong to the caller, and bytes on disk of a
   snapshot, at most.  Of the options, only the matrices and what snapshots have count. */
size_t ms_full_spectra_planned_bytes(const ms_full_options *options);
size_t ms_full_spectra_values_bytes(const ms_full_options *options);
size_t ms_full_spectra_disk_bytes(const ms_full_options *options);

/* Makes all values of a snapshot unknown. */
void ms_full_spectra_forget(const ms_full_spectra *to, double *values);
/* Where the spectra of matrix i are among these values: [r] each, or NULL where snapshots do not have it; fills and
   returns `out`.  Thread-safe for distinct matrices. */
double *const *ms_full_spectra_places(const ms_full_spectra *to, double *values, int i,
                                      double *out[MS_SPECTRUM_OF_COUNT]);
/* Writes a snapshot.  has_update: whether there is more than W.  MS_NO_SPACE, MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_full_spectra_write(ms_full_spectra *to, const double *values, int64_t step, bool has_update);

/* What opening the index found.  Borrowed. */
const ms_run_log_mending *ms_full_spectra_mending(const ms_full_spectra *of);
/* MS_IO: the index is no longer at its path (ms_run_log_check). */
ms_status ms_full_spectra_check(const ms_full_spectra *of);
/* Closes the index; NULL is fine.  MS_NO_SPACE, MS_IO; it is gone either way. */
ms_status ms_full_spectra_close(ms_full_spectra *of);

#ifdef __cplusplus
}
#endif

#endif
