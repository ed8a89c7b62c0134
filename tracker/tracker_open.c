/* Making a tracker, what it takes, and its end. */
#include <stdlib.h>
#include <string.h>

#include "platform/choice.h"
#include "platform/json.h"
#include "tracker/run_log.h"
#include "tracker/tracker_impl.h"

const char *const ms_spectra_kept_names[] = {[MS_SPECTRA_SUMMARY] = "summary", [MS_SPECTRA_FULL] = "full", NULL};
const char *const ms_when_behind_names[] = {[MS_WHEN_BEHIND_WAIT] = "wait", [MS_WHEN_BEHIND_SKIP] = "skip", NULL};

static bool has_captures(const ms_tracker_options *options) { return options->has_momentum || options->has_orthogonal; }

/* Arrays of a matrix in a snapshot. */
static size_t n_kinds(const ms_tracker_options *options) {
    return 2 + (options->has_momentum ? 1 : 0) + (options->has_orthogonal ? 1 : 0);
}

static void largest_sides(const ms_tracker_options *options, int *out_smaller, int *out_longer) {
    ms_tracked_largest_sides(options->matrices, options->n_matrices, has_captures(options), out_smaller, out_longer);
}

static bool is_own(const ms_tracker_options *options, int i) { return !options->elsewhere || !options->elsewhere[i]; }

static size_t own_elements(const ms_tracker_options *options) {
    size_t n = 0;
    for (int i = 0; i < options->n_matrices; i++)
        if (is_own(options, i)) n += ms_tracked_matrix_elements(&options->matrices[i]);
    return n;
}

static int count_own(const ms_tracker_options *options) {
    int n = 0;
    for (int i = 0; i < options->n_matrices; i++) n += is_own(options, i);
    return n;
}

/* Whether what the next snapshot is compared with is kept of a matrix: with a file of all, for checkpoints. */
static bool is_kept(const ms_tracker_options *options, int i) { return options->path || is_own(options, i); }

static ms_full_options full_options(const ms_tracker_options *options, const ms_tracked_matrix *matrices) {
    return (ms_full_options){.folder = options->path ? options->full_folder : NULL,
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
    size_t n = (size_t)options->n_matrices, n_own = (size_t)count_own(options), vectors = 0;
    for (int i = 0; i < options->n_matrices; i++)
        if (is_kept(options, i)) vectors += ms_last_matrix_bytes(options->matrices[i].rows, options->matrices[i].cols);
    ms_full_options full = full_options(options, options->matrices);
    size_t per_slot = n_kinds(options) * (sizeof(float) * own_elements(options) + n_own * sizeof(float *)) +
                      n * (MS_TRACKER_N_NUMBERS * sizeof(double) + sizeof(ms_spectrum)) +
                      (options->full_folder ? ms_full_spectra_values_bytes(&full) : 0);
    return sizeof(ms_tracker) + (options->full_folder ? ms_full_spectra_planned_bytes(&full) : 0) +
           (size_t)options->n_slots * (sizeof(ms_tracker_snapshot) + per_slot) +
           ms_tracked_matrices_bytes(options->n_matrices) +
           n * (sizeof(ms_tracker_outcome) + sizeof(ms_tracker_whole) + 2 * sizeof(int)) +
           n * (sizeof(ms_last_matrix) + sizeof(double)) + vectors +
           (size_t)options->n_threads * (sizeof(void *) + ms_spectrum_scratch_bytes(smaller, longer));
}

static ms_status check_options(const ms_tracker_options *options) {
    if (!options->path && !options->elsewhere) return MS_FAIL(MS_INVALID, "tracker: no path");
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
        if (!last || matrix->whole == 0 || last->whole != matrix->whole) continue;
        if (last->cols != matrix->cols)
            return MS_FAIL(MS_INVALID, "tracker: layer %d %s and %s: one stored matrix, but %d and %d columns",
                           matrix->layer, last->projection, matrix->projection, last->cols, matrix->cols);
        if (is_own(options, i - 1) != is_own(options, i))
            return MS_FAIL(MS_INVALID, "tracker: layer %d %s and %s: one stored matrix, computed in two places",
                           matrix->layer, last->projection, matrix->projection);
    }
    return MS_OK;
}

static ms_status create_snapshot(const ms_tracker *tracker, const ms_tracker_options *options,
                                 ms_tracker_snapshot *out) {
    size_t n = (size_t)tracker->tracked.n, n_own = (size_t)tracker->n_own, kinds = n_kinds(options);
    size_t size_bytes = kinds * sizeof(float) * own_elements(options);
    ms_full_options full = full_options(options, options->matrices);
    out->weights = malloc(size_bytes + 1);
    out->places = malloc(kinds * sizeof(float *) * n_own + 1);
    out->numbers = calloc(MS_TRACKER_N_NUMBERS * n, sizeof(double));
    out->spectra = calloc(n, sizeof *out->spectra);
    out->complete = options->full_folder ? malloc(ms_full_spectra_values_bytes(&full)) : NULL;
    if (!out->weights || !out->places || !out->numbers || !out->spectra || (options->full_folder && !out->complete))
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: a snapshot of %zu bytes", size_bytes);
    /* The system gives pages when they are first written: here, not within the step of the first snapshot. */
    memset(out->weights, 0, size_bytes);
    float *place = out->weights;
    for (size_t kind = 0; kind < kinds; kind++)
        for (size_t i = 0; i < n; i++) {
            if (tracker->place[i] < 0) continue;
            out->places[kind * n_own + (size_t)tracker->place[i]] = place;
            place += ms_tracked_matrix_elements(&tracker->tracked.matrices[i]);
        }
    out->slot.weight_before = out->places;
    out->slot.weight_after = out->places + n_own;
    if (options->has_momentum) out->slot.momentum = out->places + 2 * n_own;
    if (options->has_orthogonal) out->slot.orthogonal = out->places + (kinds - 1) * n_own;
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...) out->slot.key = out->numbers + MS_TRACKER_SLOT_##key * n;
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
        if (n > 1 && is_own(options, i))
            tracker->wholes[tracker->n_wholes++] = (ms_tracker_whole){.first = i, .n = n, .rows = rows};
    }
    return MS_OK;
}

static bool is_own_line(const void *context, const json_t *line) {
    const ms_tracker_options *options = context;
    return ms_tracked_matrices_have(options->matrices, options->n_matrices, line);
}

/* Which matrices are its own. */
static ms_status find_own(const ms_tracker_options *options, ms_tracker *tracker) {
    int n = options->n_matrices;
    tracker->place = calloc((size_t)n, sizeof *tracker->place);
    tracker->order = calloc((size_t)n, sizeof *tracker->order);
    if (!tracker->place || !tracker->order) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d matrices", n);
    for (int i = 0; i < n; i++) tracker->place[i] = is_own(options, i) ? tracker->n_own++ : -1;
    for (int k = 0, n_ordered = 0; k < n; k++)
        if (is_own(options, tracker->tracked.order[k])) tracker->order[n_ordered++] = tracker->tracked.order[k];
    tracker->n_given = options->path && tracker->n_own < n ? 0 : INT64_MAX;
    return MS_OK;
}

static ms_status create_last(const ms_tracker_options *options, ms_tracker *tracker) {
    ms_tracked_matrix *kept = calloc((size_t)options->n_matrices, sizeof *kept);
    if (!kept) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d matrices", options->n_matrices);
    for (int i = 0; i < options->n_matrices; i++)
        if (is_kept(options, i)) kept[i] = options->matrices[i];
    ms_status status = ms_last_snapshot_init(kept, options->n_matrices, &tracker->last);
    free(kept);
    return status;
}

static ms_status open_files(const ms_tracker_options *options, ms_tracker *tracker) {
    json_object_seed(0); /* before threads could race to do it; the order of keys does not depend on it */
    const ms_run_log_plan plan = {.every = options->planned_every,
                                  .lines_per_step = options->n_matrices,
                                  .keys = ms_run_log_spectra_keys,
                                  .is_own = is_own_line,
                                  .context = options};
    if (options->path) MS_TRY(ms_run_log_open(options->path, options->resume_after_step, &plan, &tracker->log));
    ms_full_options full = full_options(options, tracker->tracked.matrices);
    return options->full_folder ? ms_full_spectra_open(&full, &tracker->full) : MS_OK;
}

static ms_status create_parts(const ms_tracker_options *options, ms_tracker *tracker) {
    MS_TRY(ms_tracked_matrices_init(options->matrices, options->n_matrices, &tracker->tracked));
    MS_TRY(find_own(options, tracker));
    tracker->outcomes = calloc((size_t)options->n_matrices, sizeof *tracker->outcomes);
    if (!tracker->outcomes) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: %d matrices", options->n_matrices);
    MS_TRY(create_last(options, tracker));
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
    MS_TRY(open_files(options, tracker));
    if (pthread_create(&tracker->thread, NULL, ms_tracker_background_main, tracker) != 0)
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
        free(tracker->snapshots[i].spectra);
        free(tracker->snapshots[i].complete);
    }
    free(tracker->snapshots);
    free(tracker->scratch);
    ms_tracked_matrices_finish(&tracker->tracked);
    free(tracker->place);
    free(tracker->order);
    free(tracker->outcomes);
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

ms_status ms_tracker_close(ms_tracker *tracker) {
    if (!tracker) return MS_OK;
    pthread_mutex_lock(&tracker->mutex);
    tracker->closing = true;
    pthread_cond_broadcast(&tracker->changed);
    pthread_mutex_unlock(&tracker->mutex);
    pthread_join(tracker->thread, NULL);
    ms_status closed = ms_run_log_close(tracker->log), full_closed = ms_full_spectra_close(tracker->full);
    if (closed == MS_OK) closed = full_closed;
    ms_status status = tracker->failed != MS_OK ? ms_tracker_background_status(tracker) : closed;
    destroy(tracker);
    return status;
}
