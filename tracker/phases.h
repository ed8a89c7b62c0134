/* Phases of a run: where its metrics change, and how they move with the loss.  Reads metrics.jsonl and spectra.jsonl.

   A series is one key of one matrix over the snapshots (snapshots of step 0, which have no update, are left out).
   Metrics that drift all along, entropy and loss, are looked at as rates: the difference to the last snapshot, per
   step; a change is then one of slope.  The others are looked at as they are.  Change points: tracker/change_points.h.

   The loss of a snapshot is the mean training loss of the steps since the last one.  In levels, entropy, gap and loss
   are all monotone and correlate at about -1 or 1 whether they have to do with each other or not: what counts is
   `correlation`, of first differences, and its p-value under circular shifts.

   Not thread-safe on one object. */
#ifndef MS_TRACKER_PHASES_H
#define MS_TRACKER_PHASES_H

#include <stdbool.h>
#include <stdint.h>

#include "tracker/phase_values.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values that a series needs, and snapshots that a run needs. */
enum { MS_PHASE_LEAST = 12 };

typedef struct ms_phase_series {
    const char *key;                     /* of MS_PHASE_KEYS, or "loss"; static */
    bool rates;                          /* looked at as differences per step */
    int layer;                           /* -1 for the loss */
    char projection[MS_PHASE_NAME_SIZE]; /* "" for the loss */
    int n;                               /* values looked at; below MS_PHASE_LEAST nothing else is defined */
    double deviation, autocorrelation;   /* of the noise */
    double penalty;
    int n_changes;
    int64_t *changes;          /* [n_changes] the first snapshot after each change, as its step */
    double correlation_levels; /* with the loss; NaN where either is constant, and for the loss */
    double correlation, p;     /* of first differences; p by circular shifts */
} ms_phase_series;

typedef struct ms_phases {
    int n_snapshots;
    int64_t first_step, last_step; /* of the snapshots */
    double factor;                 /* of the penalty */
    int n_series;                  /* the loss first, then by key, in the order of the matrices */
    ms_phase_series *series;
    ms_json_bad_lines bad; /* lines that were left out, with the rest of their snapshots */
} ms_phases;

/* factor: of the penalty, 0: MS_CHANGE_FACTOR.  A partial last line and a partial last snapshot are left out; keys that
   no line has give series with n 0.  ms_phases_finish frees; `out` is zeroed on failure.
   MS_INVALID: a factor that is negative or not finite.  MS_NOT_FOUND: no such file, or fewer than MS_PHASE_LEAST
   snapshots.  MS_CORRUPT: a line lacks a key or is out of order, by file and line; a line that is no JSON is left out.
   MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_phases_init(const char *metrics_path, const char *spectra_path, double factor, ms_phases *out);
void ms_phases_finish(ms_phases *phases);

#ifdef __cplusplus
}
#endif

#endif
