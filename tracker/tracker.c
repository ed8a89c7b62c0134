#include "tracker/tracker.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/choice.h"
#include "platform/clock.h"
#include "platform/json.h"
#include "platform/signals.h"
#include "platform/thread.h"
#include "tracker/full_spectra.h"
#include "tracker/run_log.h"
#include "tracker/spectrum.h"
#include "tracker/watch.h"

const char *const ms_spectra_kept_names[] = {[MS_SPECTRA_SUMMARY] = "summary", [MS_SPECTRA_FULL] = "full", NULL};
const char *const ms_when_behind_names[] = {[MS_WHEN_BEHIND_WAIT] = "wait", [MS_WHEN_BEHIND_SKIP] = "skip", NULL};

/* Numbers that a slot has for each matrix. */
enum {
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...) SLOT_##key,
#include "tracker/metrics.def"
    N_NUMBERS
};

typedef struct snapshot {
    ms_tracker_slot slot;
    int64_t step, tokens;
    float *weights;  /* the storage of all matrices: before, after, momentum, orthogonal */
    float **places;  /* [n_kinds * n_matrices] */
    double *numbers; /* [N_NUMBERS * n_matrices] */
} snapshot;

/* One computed matrix, or why it could not be computed. */
typedef struct result {
    ms_spectrum spectrum;
    ms_status status;
    char message[1024];
} result;

/* A stored matrix of several row groups, each of which is a tracked matrix. */
typedef struct whole {
    int first, n; /* its matrices */
    int rows;     /* of all of them */
    ms_update_quality quality;
    ms_status status;
    char message[1024];
} whole;

struct ms_tracker {
    ms_full_spectra *full; /* NULL: complete spectra are not kept */
    ms_watch *watch;       /* borrowed, or NULL */
    whole *wholes;         /* [n_wholes]; none where snapshots have nothing but weights */
    int n_wholes;
    ms_tracked_matrices tracked;
    int n_slots, n_threads;
    bool stops_at_signal;
    ms_when_behind when_behind;
    int64_t n_skipped;
    snapshot *snapshots;           /* ring; snapshot i uses entry i % n_slots */
    snapshot *acquired;            /* entry that the caller is filling, or NULL */
    result *results;               /* [tracked.n], of the snapshot in work */
    ms_last_snapshot last;         /* the background thread's; quiescent after ms_tracker_drain */
    ms_spectrum_scratch **scratch; /* one per thread */
    ms_pool *pool;
    ms_run_log *log;
    double lines_seconds; /* processor time of the background thread for lines; quiescent after ms_tracker_drain */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int64_t n_submitted, n_done;
    bool closing;
    ms_status failed; /* first error of the background thread */
    char failed_message[1024];
};

static bool has_captures(const ms_tracker_options *options) { return options->has_momentum || options->has_orthogonal; }

/* Arrays of a matrix in a snapshot. */
static size_t n_kinds(const ms_tracker_options *options) {
    return 2 + (options->has_momentum ? 1 : 0) + (options->has_orthogonal ? 1 : 0);
}

static void largest_sides(const ms_tracker_options *options, int *out_smaller, int *out_longer) {
    ms_tracked_largest_sides(options->matrices, options->n_matrices, has_captures(options), out_smaller, out_longer);
}

static size_t all_elements(const ms_tracker_options *options) {
    size_t n = 0;
    for (int i = 0; i < options->n_matrices; i++) n += ms_tracked_matrix_elements(&options->matrices[i]);
    return n;
}

static ms_full_options full_options(const ms_tracker_options *options, const ms_tracked_matrix *matrices) {
    return (ms_full_options){.folder = options->full_folder,
                             .matrices = matrices,
                             .n_matrices = options->n_matrices,
                             .has_momentum = options->has_momentum,
                             .has_orthogonal = options->has_orthogonal,
                             .resume_after_step = options->resume_after_step,
                             .planned_every = options->planned_every};
}

size_t ms_tracker_full_bytes(const ms_tracker_options *options) {
    ms_full_options full = full_options(options, options->matrices);
    return ms_full_spectra_disk_bytes(&full);
}

size_t ms_tracker_planned_bytes(const ms_tracker_options *options) {
    int smaller, longer;
    largest_sides(options, &smaller, &longer);
    size_t n = (size_t)options->n_matrices, vectors = 0;
    for (size_t i = 0; i < n; i++)
        vectors += ms_last_matrix_bytes(options->matrices[i].rows, options->matrices[i].cols);
    size_t per_slot = n_kinds(options) * sizeof(float) * all_elements(options) +
                      n * (n_kinds(options) * sizeof(float *) + N_NUMBERS * sizeof(double));
    ms_full_options full = full_options(options, options->matrices);
    return sizeof(ms_tracker) + (options->full_folder ? ms_full_spectra_planned_bytes(&full) : 0) +
           (size_t)options->n_slots * (sizeof(snapshot) + per_slot) + ms_tracked_matrices_bytes(options->n_matrices) +
           n * (sizeof(result) + sizeof(whole)) + n * (sizeof(ms_last_matrix) + sizeof(double)) + vectors +
           (size_t)options->n_threads * (sizeof(void *) + ms_spectrum_scratch_bytes(smaller, longer));
}

/* --- the background thread --- */

typedef struct computation {
    ms_tracker *tracker;
    const snapshot *snapshot;
} computation;

static void compute_whole(const computation *work, whole *of, int i_thread) {
    const ms_tracker *tracker = work->tracker;
    const ms_tracker_slot *slot = &work->snapshot->slot;
    char name[MS_TRACKED_NAME_SIZE + 32];
    snprintf(name, sizeof name, "%s and what is stored with it", tracker->tracked.names[of->first]);
    ms_spectrum_input input = {.name = name,
                               .momentum = slot->momentum ? slot->momentum[of->first] : NULL,
                               .orthogonal = slot->orthogonal ? slot->orthogonal[of->first] : NULL,
                               .rows = of->rows,
                               .cols = tracker->tracked.matrices[of->first].cols};
    of->status = ms_spectrum_quality(tracker->scratch[i_thread], &input, &of->quality);
    if (of->status != MS_OK) strncpy(of->message, ms_status_message(), sizeof of->message - 1);
}

static int wholes_of(const ms_tracker *tracker, const snapshot *shot) {
    return shot->slot.has_update ? tracker->n_wholes : 0;
}

/* First the wholes, which are the largest, then the matrices by size. */
static void compute_task(void *context, int64_t i_task, int i_thread) {
    const computation *work = context;
    ms_tracker *tracker = work->tracker;
    int n_wholes = wholes_of(tracker, work->snapshot);
    if (tracker->stops_at_signal && ms_signals_received()) return; /* `process` says so */
    if (i_task < n_wholes) {
        compute_whole(work, &tracker->wholes[i_task], i_thread);
        return;
    }
    int i = tracker->tracked.order[i_task - n_wholes];
    result *out = &tracker->results[i];
    const ms_tracker_slot *slot = &work->snapshot->slot;
    int64_t last_step = tracker->last.step;
    double *places[MS_SPECTRUM_OF_COUNT];
    ms_spectrum_input input = {.name = tracker->tracked.names[i],
                               .last = &tracker->last.matrices[i],
                               .steps_since_last = last_step < 0 ? 0 : work->snapshot->step - last_step,
                               .before = slot->has_update ? slot->weight_before[i] : NULL,
                               .after = slot->weight_after[i],
                               .momentum = slot->has_update && slot->momentum ? slot->momentum[i] : NULL,
                               .orthogonal = slot->has_update && slot->orthogonal ? slot->orthogonal[i] : NULL,
                               .decay_share = slot->decay_share,
                               .rows = tracker->tracked.matrices[i].rows,
                               .cols = tracker->tracked.matrices[i].cols,
                               .complete = tracker->full ? ms_full_spectra_places(tracker->full, i, places) : NULL};
    out->status = ms_spectrum_compute(tracker->scratch[i_thread], &input, &out->spectrum);
    if (out->status != MS_OK) strncpy(out->message, ms_status_message(), sizeof out->message - 1);
}

static json_t *real_array(const double *values, int n) {
    json_t *array = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(array, ms_run_log_real(values[i]));
    return array;
}

/* One line.  A jansson call that runs out of memory leaves the object short: the count of keys tells. */
static ms_status make_line(const ms_tracker *tracker, const snapshot *shot, int i, json_t *lines) {
    const ms_tracked_matrix *matrix = &tracker->tracked.matrices[i];
    const ms_spectrum *spectrum = &tracker->results[i].spectrum;
    const ms_tracker_slot *slot = &shot->slot;
    json_t *const about[] = {json_integer(shot->step),        json_integer(shot->tokens), json_integer(matrix->layer),
                             json_string(matrix->projection), json_integer(matrix->rows), json_integer(matrix->cols)};
    json_t *line = json_object();
    size_t n_keys = 0, n_about = 0;
    bool complete = true;
#define ABOUT(key, ...)                                                                                                \
    json_object_set_new(line, #key, about[n_about++]);                                                                 \
    n_keys++;
#define LIST(key, ...)                                                                                                 \
    json_object_set_new(line, #key, real_array(spectrum->key, spectrum->n_##key));                                     \
    n_keys++;                                                                                                          \
    complete &= json_array_size(json_object_get(line, #key)) == (size_t)spectrum->n_##key;
#define SCALAR(key, ...)                                                                                               \
    json_object_set_new(line, #key, ms_run_log_real(spectrum->key));                                                   \
    n_keys++;
#define SLOT(key, ...)                                                                                                 \
    json_object_set_new(line, #key, ms_run_log_real(slot->key[i]));                                                    \
    n_keys++;
#include "tracker/metrics.def"
    complete &= json_object_size(line) == n_keys;
    if (json_array_append_new(lines, line) != 0) complete = false;
    return complete ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "spectra line of %s", tracker->tracked.names[i]);
}

/* What the caller's numbers lack: s1 before any update, and the growth. */
static void complete_growth(ms_tracker *tracker, const snapshot *shot) {
    const ms_tracker_slot *slot = &shot->slot;
    for (int i = 0; i < tracker->tracked.n; i++) {
        const ms_spectrum *spectrum = &tracker->results[i].spectrum;
        double *first = &tracker->last.first_sigma[i], bound = slot->growth_bound[i];
        if (!slot->has_update) *first = spectrum->sigma_max;
        slot->growth_efficiency[i] = bound > 0 ? spectrum->growth / bound : NAN;
        double by_noise = bound > 0 ? slot->growth_null[i] / bound : NAN;
        slot->growth_efficiency_null[i] = by_noise > 1 ? 1 : by_noise;
        slot->ceiling[i] += *first;
        slot->ceiling_measured[i] += *first;
        if (slot->ceiling_decay[i] <= *first) slot->ceiling_decay[i] = *first;
        if (isnan(*first)) slot->ceiling_decay[i] = NAN;
    }
}

static ms_status process(ms_tracker *tracker, const snapshot *shot) {
    computation work = {tracker, shot};
    int n_wholes = wholes_of(tracker, shot);
    ms_pool_run(tracker->pool, n_wholes + tracker->tracked.n, compute_task, &work);
    if (tracker->stops_at_signal) MS_TRY(ms_signals_check("a snapshot"));
    double begin = ms_clock_thread_seconds();
    json_t *lines = json_array();
    ms_status status = lines ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "spectra lines");
    for (int k = 0; k < n_wholes && status == MS_OK; k++) {
        const whole *of = &tracker->wholes[k];
        if (of->status != MS_OK) status = MS_FAIL(of->status, "%s", of->message);
        for (int i = of->first; i < of->first + of->n; i++)
            ms_spectrum_set_merged(&of->quality, &tracker->results[i].spectrum);
    }
    complete_growth(tracker, shot);
    for (int i = 0; i < tracker->tracked.n && status == MS_OK; i++) {
        if (tracker->results[i].status != MS_OK)
            status = MS_FAIL(tracker->results[i].status, "%s", tracker->results[i].message);
        else
            status = make_line(tracker, shot, i, lines);
    }
    tracker->last.step = shot->step; /* where a matrix failed, nothing is computed any more */
    if (status == MS_OK && tracker->full)
        status = ms_full_spectra_write(tracker->full, shot->step, shot->slot.has_update);
    if (status == MS_OK) status = ms_run_log_append_all(tracker->log, lines);
    if (status == MS_OK && tracker->watch) status = ms_watch_lines(tracker->watch, MS_WATCH_SPECTRA, lines);
    json_decref(lines);
    tracker->lines_seconds += ms_clock_thread_seconds() - begin;
    return status == MS_OK ? MS_OK : ms_status_note(status, "tracker, step %lld", (long long)shot->step);
}

static void *background_main(void *argument) {
    ms_tracker *tracker = argument;
    pthread_mutex_lock(&tracker->mutex);
    for (;;) {
        while (tracker->n_done == tracker->n_submitted && !tracker->closing)
            pthread_cond_wait(&tracker->changed, &tracker->mutex);
        if (tracker->n_done == tracker->n_submitted) break;
        const snapshot *shot = &tracker->snapshots[tracker->n_done % tracker->n_slots];
        if (tracker->failed == MS_OK) {
            pthread_mutex_unlock(&tracker->mutex);
            ms_status status = process(tracker, shot);
            pthread_mutex_lock(&tracker->mutex);
            if (status != MS_OK) {
                tracker->failed = status;
                strncpy(tracker->failed_message, ms_status_message(), sizeof tracker->failed_message - 1);
            }
        }
        tracker->n_done++;
        pthread_cond_broadcast(&tracker->changed);
    }
    pthread_mutex_unlock(&tracker->mutex);
    return NULL;
}

/* --- the caller's side --- */

static ms_status check_options(const ms_tracker_options *options) {
    if (!options->path) return MS_FAIL(MS_INVALID, "tracker: no path");
    MS_TRY(ms_choice_check("tracker: when_behind", (int)options->when_behind, ms_when_behind_names));
    if (options->n_matrices < 1 || options->n_slots < 1 || options->n_threads < 1)
        return MS_FAIL(MS_INVALID, "tracker: %d matrices, %d slots, %d threads: each must be at least 1",
                       options->n_matrices, options->n_slots, options->n_threads);
    if (options->planned_every < 0)
        return MS_FAIL(MS_INVALID, "tracker: a snapshot every %lld steps, must be at least 1, or 0 for not known",
                       (long long)options->planned_every);
    for (int i = 0; i < options->n_matrices; i++) {
        const ms_tracked_matrix *matrix = &options->matrices[i];
        if (!matrix->projection || strlen(matrix->projection) > 31)
            return MS_FAIL(MS_INVALID, "tracker: matrix %d: projection name missing or over 31 bytes", i);
        MS_TRY(ms_json_check_text("tracker: the projection", matrix->projection));
        if (matrix->rows < 1 || matrix->cols < 1)
            return MS_FAIL(MS_INVALID, "tracker: matrix %d, layer %d %s: shape [%d, %d]", i, matrix->layer,
                           matrix->projection, matrix->rows, matrix->cols);
        const ms_tracked_matrix *last = i > 0 ? matrix - 1 : NULL;
        if (last && matrix->whole != 0 && last->whole == matrix->whole && last->cols != matrix->cols)
            return MS_FAIL(MS_INVALID, "tracker: layer %d %s and %s: one stored matrix, but %d and %d columns",
                           matrix->layer, last->projection, matrix->projection, last->cols, matrix->cols);
    }
    return MS_OK;
}

static ms_status create_snapshot(const ms_tracker *tracker, const ms_tracker_options *options, snapshot *out) {
    size_t n = (size_t)tracker->tracked.n, kinds = n_kinds(options);
    size_t size_bytes = kinds * sizeof(float) * all_elements(options);
    out->weights = malloc(size_bytes);
    out->places = malloc(kinds * sizeof(float *) * n);
    out->numbers = calloc(N_NUMBERS * n, sizeof(double));
    if (!out->weights || !out->places || !out->numbers)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: a snapshot of %zu bytes", size_bytes);
    /* The system gives pages when they are first written: here, not within the step of the first snapshot. */
    memset(out->weights, 0, size_bytes);
    float *place = out->weights;
    for (size_t i = 0; i < kinds * n; i++) {
        out->places[i] = place;
        place += ms_tracked_matrix_elements(&tracker->tracked.matrices[i % n]);
    }
    out->slot.weight_before = out->places;
    out->slot.weight_after = out->places + n;
    if (options->has_momentum) out->slot.momentum = out->places + 2 * n;
    if (options->has_orthogonal) out->slot.orthogonal = out->places + (kinds - 1) * n;
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...) out->slot.key = out->numbers + SLOT_##key * n;
#include "tracker/metrics.def"
    return MS_OK;
}

static ms_status find_wholes(const ms_tracker_options *options, ms_tracker *tracker) {
    tracker->wholes = calloc((size_t)options->n_matrices, sizeof *tracker->wholes);
    if (!tracker->wholes) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d matrices", options->n_matrices);
    if (!has_captures(options)) return MS_OK;
    for (int i = 0, n; i < options->n_matrices; i += n) {
        int id = options->matrices[i].whole;
        for (n = 1; id != 0 && i + n < options->n_matrices && options->matrices[i + n].whole == id;) n++;
        int rows = ms_tracked_whole_rows(options->matrices, options->n_matrices, i);
        if (n > 1) tracker->wholes[tracker->n_wholes++] = (whole){.first = i, .n = n, .rows = rows};
    }
    return MS_OK;
}

static bool is_own_line(const void *context, const json_t *line) {
    const ms_tracker_options *options = context;
    return ms_tracked_matrices_have(options->matrices, options->n_matrices, line);
}

static ms_status create_parts(const ms_tracker_options *options, ms_tracker *tracker) {
    MS_TRY(ms_tracked_matrices_init(options->matrices, options->n_matrices, &tracker->tracked));
    tracker->results = calloc((size_t)options->n_matrices, sizeof *tracker->results);
    if (!tracker->results) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d matrices", options->n_matrices);
    MS_TRY(ms_last_snapshot_init(options->matrices, options->n_matrices, &tracker->last));
    MS_TRY(find_wholes(options, tracker));
    tracker->snapshots = calloc((size_t)options->n_slots, sizeof *tracker->snapshots);
    tracker->scratch = calloc((size_t)options->n_threads, sizeof *tracker->scratch);
    if (!tracker->snapshots || !tracker->scratch)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d slots", options->n_slots);
    tracker->n_slots = options->n_slots;
    tracker->n_threads = options->n_threads;
    tracker->when_behind = options->when_behind;
    tracker->stops_at_signal = options->stops_at_signal;
    tracker->watch = options->watch;
    for (int i = 0; i < options->n_slots; i++) MS_TRY(create_snapshot(tracker, options, &tracker->snapshots[i]));
    MS_TRY(ms_pool_create(options->n_threads, &tracker->pool));
    int smaller, longer;
    largest_sides(options, &smaller, &longer);
    for (int i = 0; i < options->n_threads; i++)
        MS_TRY(ms_spectrum_scratch_create(smaller, longer, &tracker->scratch[i]));
    json_object_seed(0); /* before threads could race to do it; the order of keys does not depend on it */
    const ms_run_log_plan plan = {.every = options->planned_every,
                                  .lines_per_step = options->n_matrices,
                                  .keys = ms_run_log_spectra_keys,
                                  .is_own = is_own_line,
                                  .context = options};
    MS_TRY(ms_run_log_open(options->path, options->resume_after_step, &plan, &tracker->log));
    ms_full_options full = full_options(options, tracker->tracked.matrices);
    if (options->full_folder) MS_TRY(ms_full_spectra_open(&full, &tracker->full));
    if (pthread_create(&tracker->thread, NULL, background_main, tracker) != 0)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: cannot start a thread");
    return MS_OK;
}

/* Frees everything but the log; the background thread has ended. */
static void destroy(ms_tracker *tracker) {
    for (int i = 0; i < tracker->n_threads; i++) ms_spectrum_scratch_destroy(tracker->scratch[i]);
    ms_pool_destroy(tracker->pool);
    for (int i = 0; i < tracker->n_slots; i++) {
        free(tracker->snapshots[i].weights);
        free(tracker->snapshots[i].places);
        free(tracker->snapshots[i].numbers);
    }
    free(tracker->snapshots);
    free(tracker->scratch);
    ms_tracked_matrices_finish(&tracker->tracked);
    free(tracker->results);
    free(tracker->wholes);
    ms_last_snapshot_finish(&tracker->last);
    pthread_mutex_destroy(&tracker->mutex);
    pthread_cond_destroy(&tracker->changed);
    free(tracker);
}

ms_status ms_tracker_create(const ms_tracker_options *options, ms_tracker **out) {
    *out = NULL;
    MS_TRY(check_options(options));
    ms_tracker *tracker = calloc(1, sizeof *tracker);
    if (!tracker) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker");
    pthread_mutex_init(&tracker->mutex, NULL);
    pthread_cond_init(&tracker->changed, NULL);
    ms_status status = create_parts(options, tracker);
    if (status == MS_OK) {
        *out = tracker;
        return MS_OK;
    }
    ms_run_log_close(tracker->log); /* nothing was written: the first error is the one to report */
    ms_full_spectra_close(tracker->full);
    destroy(tracker);
    return status;
}

/* The mutex is held. */
static ms_status background_status(const ms_tracker *tracker) {
    return tracker->failed == MS_OK ? MS_OK : MS_FAIL(tracker->failed, "%s", tracker->failed_message);
}

ms_status ms_tracker_acquire(ms_tracker *tracker, ms_tracker_slot **out_slot) {
    *out_slot = NULL;
    if (tracker->acquired) return MS_FAIL(MS_INVALID, "tracker: a slot is acquired and not yet submitted");
    pthread_mutex_lock(&tracker->mutex);
    while (tracker->when_behind == MS_WHEN_BEHIND_WAIT && tracker->failed == MS_OK &&
           tracker->n_submitted - tracker->n_done == tracker->n_slots)
        pthread_cond_wait(&tracker->changed, &tracker->mutex);
    ms_status status = background_status(tracker);
    bool full = tracker->n_submitted - tracker->n_done == tracker->n_slots;
    int64_t i_snapshot = tracker->n_submitted;
    pthread_mutex_unlock(&tracker->mutex);
    MS_TRY(status);
    if (full) {
        tracker->n_skipped++;
        return MS_OK;
    }
    snapshot *shot = &tracker->snapshots[i_snapshot % tracker->n_slots];
    memset(shot->numbers, 0, sizeof(double) * N_NUMBERS * (size_t)tracker->tracked.n);
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
    ms_status status = background_status(tracker);
    pthread_mutex_unlock(&tracker->mutex);
    return status;
}

ms_status ms_tracker_drain(ms_tracker *tracker) {
    pthread_mutex_lock(&tracker->mutex);
    while (tracker->n_done < tracker->n_submitted) pthread_cond_wait(&tracker->changed, &tracker->mutex);
    ms_status status = background_status(tracker);
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

ms_status ms_tracker_close(ms_tracker *tracker) {
    if (!tracker) return MS_OK;
    pthread_mutex_lock(&tracker->mutex);
    tracker->closing = true;
    pthread_cond_broadcast(&tracker->changed);
    pthread_mutex_unlock(&tracker->mutex);
    pthread_join(tracker->thread, NULL);
    ms_status closed = ms_run_log_close(tracker->log), full_closed = ms_full_spectra_close(tracker->full);
    if (closed == MS_OK) closed = full_closed;
    ms_status status = tracker->failed != MS_OK ? background_status(tracker) : closed;
    destroy(tracker);
    return status;
}
