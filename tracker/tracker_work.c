/* Snapshots on their way: from the caller to the background thread, and into the files. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/signals.h"
#include "tracker/run_log.h"
#include "tracker/spectra_lines.h"
#include "tracker/tracker_impl.h"
#include "tracker/watch.h"

/* --- the background thread --- */

typedef struct computation {
    ms_tracker *tracker;
    const ms_tracker_snapshot *snapshot;
} computation;

static void keep_outcome(ms_status status, ms_tracker_outcome *out) {
    out->status = status;
    if (status != MS_OK) strncpy(out->message, ms_status_message(), sizeof out->message - 1);
}

static void compute_whole(const computation *work, ms_tracker_whole *of, int i_thread) {
    const ms_tracker *tracker = work->tracker;
    const ms_tracker_slot *slot = &work->snapshot->slot;
    int place = tracker->place[of->first];
    char name[MS_TRACKED_NAME_SIZE + 32];
    snprintf(name, sizeof name, "%s and what is stored with it", tracker->tracked.names[of->first]);
    ms_spectrum_input input = {.name = name,
                               .momentum = slot->momentum ? slot->momentum[place] : NULL,
                               .orthogonal = slot->orthogonal ? slot->orthogonal[place] : NULL,
                               .rows = of->rows,
                               .cols = tracker->tracked.matrices[of->first].cols};
    keep_outcome(ms_spectrum_quality(tracker->scratch[i_thread], &input, &of->quality), &of->outcome);
}

static int wholes_of(const ms_tracker *tracker, const ms_tracker_snapshot *shot) {
    return shot->slot.has_update ? tracker->n_wholes : 0;
}

/* First the wholes, which are the largest, then the matrices by size. */
static void compute_task(void *context, int64_t i_task, int i_thread) {
    const computation *work = context;
    ms_tracker *tracker = work->tracker;
    int n_wholes = wholes_of(tracker, work->snapshot);
    if (tracker->stops_at_signal && ms_signals_received()) return; /* `compute` says so */
    if (i_task < n_wholes) {
        compute_whole(work, &tracker->wholes[i_task], i_thread);
        return;
    }
    int i = tracker->order[i_task - n_wholes], place = tracker->place[i];
    const ms_tracker_snapshot *shot = work->snapshot;
    const ms_tracker_slot *slot = &shot->slot;
    int64_t last_step = tracker->last.step;
    double *places[MS_SPECTRUM_OF_COUNT];
    ms_spectrum_input input = {
        .name = tracker->tracked.names[i],
        .last = &tracker->last.matrices[i],
        .steps_since_last = last_step < 0 ? 0 : shot->step - last_step,
        .before = slot->has_update ? slot->weight_before[place] : NULL,
        .after = slot->weight_after[place],
        .momentum = slot->has_update && slot->momentum ? slot->momentum[place] : NULL,
        .orthogonal = slot->has_update && slot->orthogonal ? slot->orthogonal[place] : NULL,
        .decay_share = slot->decay_share,
        .rows = tracker->tracked.matrices[i].rows,
        .cols = tracker->tracked.matrices[i].cols,
        .complete = tracker->full ? ms_full_spectra_places(tracker->full, shot->complete, i, places) : NULL};
    keep_outcome(ms_spectrum_compute(tracker->scratch[i_thread], &input, &shot->spectra[i]), &tracker->outcomes[i]);
}

static ms_status outcome_status(const ms_tracker_outcome *outcome) {
    return outcome->status == MS_OK ? MS_OK : MS_FAIL(outcome->status, "%s", outcome->message);
}

static ms_status compute(ms_tracker *tracker, const ms_tracker_snapshot *shot) {
    computation work = {tracker, shot};
    int n_wholes = wholes_of(tracker, shot);
    if (tracker->full) ms_full_spectra_forget(tracker->full, shot->complete);
    ms_pool_run(tracker->pool, n_wholes + tracker->n_own, compute_task, &work);
    tracker->last.step = shot->step; /* where a matrix failed, nothing is computed any more */
    if (tracker->stops_at_signal) MS_TRY(ms_signals_check("a snapshot"));
    for (int k = 0; k < n_wholes; k++) {
        const ms_tracker_whole *of = &tracker->wholes[k];
        MS_TRY(outcome_status(&of->outcome));
        for (int i = of->first; i < of->first + of->n; i++) ms_spectrum_set_merged(&of->quality, &shot->spectra[i]);
    }
    for (int i = 0; i < tracker->tracked.n; i++)
        if (tracker->place[i] >= 0) MS_TRY(outcome_status(&tracker->outcomes[i]));
    return MS_OK;
}

static ms_status write_snapshot(ms_tracker *tracker, const ms_tracker_snapshot *shot) {
    double begin = ms_clock_thread_seconds();
    const ms_spectra_source source = {shot->step,    shot->tokens, &tracker->tracked,
                                      shot->spectra, &shot->slot,  tracker->last.first_sigma};
    json_t *lines;
    ms_status status = ms_spectra_lines_make(&source, &lines);
    if (status == MS_OK && tracker->full)
        status = ms_full_spectra_write(tracker->full, shot->complete, shot->step, shot->slot.has_update);
    if (status == MS_OK) status = ms_run_log_append_all(tracker->log, lines);
    if (status == MS_OK && tracker->watch) status = ms_watch_lines(tracker->watch, MS_WATCH_SPECTRA, lines);
    json_decref(lines);
    tracker->lines_seconds += ms_clock_thread_seconds() - begin;
    return status;
}

/* What the background thread does next. */
typedef enum job { NOTHING, COMPUTE, WRITE } job;

/* A snapshot that is known is written before another is computed.  The mutex is held. */
static job next_job(const ms_tracker *tracker) {
    if (tracker->n_done < tracker->n_computed && tracker->n_done < tracker->n_given) return WRITE;
    return tracker->n_computed < tracker->n_submitted ? COMPUTE : NOTHING;
}

/* Without the mutex, which is held before and after. */
static void work(ms_tracker *tracker, job what) {
    int64_t i = what == COMPUTE ? tracker->n_computed : tracker->n_done;
    const ms_tracker_snapshot *shot = &tracker->snapshots[i % tracker->n_slots];
    pthread_mutex_unlock(&tracker->mutex);
    ms_status status = what == COMPUTE ? compute(tracker, shot) : write_snapshot(tracker, shot);
    if (status != MS_OK) ms_status_note(status, "tracker, step %lld", (long long)shot->step);
    pthread_mutex_lock(&tracker->mutex);
    if (status == MS_OK) return;
    tracker->failed = status;
    strncpy(tracker->failed_message, ms_status_message(), sizeof tracker->failed_message - 1);
}

void *ms_tracker_background_main(void *argument) {
    ms_tracker *tracker = argument;
    pthread_mutex_lock(&tracker->mutex);
    for (;;) {
        job what;
        while ((what = next_job(tracker)) == NOTHING && !tracker->closing)
            pthread_cond_wait(&tracker->changed, &tracker->mutex);
        if (what == NOTHING) break;
        if (tracker->failed == MS_OK) work(tracker, what);
        if (what == COMPUTE) tracker->n_computed++;
        if (what == WRITE || !tracker->log) tracker->n_done++;
        pthread_cond_broadcast(&tracker->changed);
    }
    pthread_mutex_unlock(&tracker->mutex);
    return NULL;
}

/* --- the caller's side --- */

ms_status ms_tracker_background_status(const ms_tracker *tracker) {
    return tracker->failed == MS_OK ? MS_OK : MS_FAIL(tracker->failed, "%s", tracker->failed_message);
}

ms_status ms_tracker_acquire(ms_tracker *tracker, ms_tracker_slot **out_slot) {
    *out_slot = NULL;
    if (tracker->acquired) return MS_FAIL(MS_INVALID, "tracker: a slot is acquired and not yet submitted");
    pthread_mutex_lock(&tracker->mutex);
    while (tracker->when_behind == MS_WHEN_BEHIND_WAIT && tracker->failed == MS_OK &&
           tracker->n_submitted - tracker->n_done == tracker->n_slots)
        pthread_cond_wait(&tracker->changed, &tracker->mutex);
    ms_status status = ms_tracker_background_status(tracker);
    bool full = tracker->n_submitted - tracker->n_done == tracker->n_slots;
    int64_t i_snapshot = tracker->n_submitted;
    pthread_mutex_unlock(&tracker->mutex);
    MS_TRY(status);
    if (full) {
        tracker->n_skipped++;
        return MS_OK;
    }
    ms_tracker_snapshot *shot = &tracker->snapshots[i_snapshot % tracker->n_slots];
    memset(shot->numbers, 0, sizeof(double) * MS_TRACKER_N_NUMBERS * (size_t)tracker->tracked.n);
    shot->slot.has_update = true;
    shot->slot.decay_share = NAN;
    tracker->acquired = shot;
    *out_slot = &shot->slot;
    return MS_OK;
}

ms_status ms_tracker_submit(ms_tracker *tracker, ms_tracker_slot *slot, int64_t step, int64_t tokens) {
    if (!tracker->acquired || slot != &tracker->acquired->slot)
        return MS_FAIL(MS_INVALID, "tracker: step %lld: not the slot that was acquired", (long long)step);
    tracker->acquired->step = step;
    tracker->acquired->tokens = tokens;
    tracker->acquired = NULL;
    pthread_mutex_lock(&tracker->mutex);
    tracker->n_submitted++;
    pthread_cond_broadcast(&tracker->changed);
    ms_status status = ms_tracker_background_status(tracker);
    pthread_mutex_unlock(&tracker->mutex);
    return status;
}

ms_status ms_tracker_drain(ms_tracker *tracker) {
    pthread_mutex_lock(&tracker->mutex);
    while (tracker->n_done < tracker->n_submitted && tracker->failed == MS_OK)
        pthread_cond_wait(&tracker->changed, &tracker->mutex);
    ms_status status = ms_tracker_background_status(tracker);
    pthread_mutex_unlock(&tracker->mutex);
    return status;
}

ms_status ms_tracker_state(ms_tracker *tracker, char **out_text) {
    *out_text = NULL;
    MS_TRY(ms_tracker_drain(tracker));
    return ms_last_snapshot_print(&tracker->last, out_text);
}

ms_status ms_tracker_restore(ms_tracker *tracker, const char *text, int64_t latest_step) {
    MS_TRY(ms_tracker_drain(tracker));
    return ms_last_snapshot_read(text, latest_step, &tracker->last);
}

const ms_run_log_mending *ms_tracker_mending(const ms_tracker *tracker) { return ms_run_log_get_mending(tracker->log); }

const ms_run_log_mending *ms_tracker_full_mending(const ms_tracker *tracker) {
    return tracker->full ? ms_full_spectra_mending(tracker->full) : NULL;
}

ms_status ms_tracker_check_file(const ms_tracker *tracker) {
    MS_TRY(ms_run_log_check(tracker->log));
    return tracker->full ? ms_full_spectra_check(tracker->full) : MS_OK;
}

ms_status ms_tracker_seconds(ms_tracker *tracker, double *out_seconds) {
    memset(out_seconds, 0, sizeof(double) * MS_SPECTRUM_N_COSTS);
    MS_TRY(ms_tracker_drain(tracker));
    for (int i = 0; i < tracker->n_threads; i++)
        for (int k = 0; k < MS_SPECTRUM_N_COSTS; k++) out_seconds[k] += ms_spectrum_seconds(tracker->scratch[i])[k];
    out_seconds[MS_SPECTRUM_COST_lines] = tracker->lines_seconds;
    return MS_OK;
}

int64_t ms_tracker_n_skipped(const ms_tracker *tracker) { return tracker->n_skipped; }
