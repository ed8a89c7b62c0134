#include "train/tracking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a tracked matrix lies: rows of one layer of a parameter. */
typedef struct tracked_place {
    int32_t i_parameter, layer, group;
    int64_t offset, count; /* elements within the variable */
} tracked_place;

struct ms_tracking {
    ms_trainer *trainer; /* borrowed */
    ms_tracker *tracker;
    ms_tracked_matrix *matrices;
    tracked_place *places;
    ms_store_part *parts; /* the matrices in the store */
    ms_norms *maxima;     /* since the last snapshot */
    int n_matrices;
    bool want_snapshot;
    ms_tracker_slot *slot;          /* being filled, or NULL */
    int64_t slot_step, slot_tokens; /* of the update that the slot shows; -1: it has not been made */
};

static int count_matrices(const ms_trainer *trainer) {
    int n = 0;
    for (int i = 0; i < trainer->model.n_parameters; i++)
        n += trainer->model.parameters[i].n_groups * trainer->model.config.layers;
    return n;
}

/* Layer by layer, and within a layer in the order of the parameters. */
static void list_matrices(const ms_trainer *trainer, ms_tracked_matrix *matrices, tracked_place *places) {
    int n = 0;
    for (int layer = 0; layer < trainer->model.config.layers; layer++) {
        for (int i = 0; i < trainer->model.n_parameters; i++) {
            const ms_parameter *parameter = &trainer->model.parameters[i];
            if (parameter->n_groups == 0) continue;
            ms_shape shape = ms_variables_get(trainer->variables, parameter->variable)->shape;
            int64_t row = (int64_t)layer * shape.dim[1];
            for (int group = 0; group < parameter->n_groups; row += parameter->group_rows[group++]) {
                int64_t rows = parameter->group_rows[group];
                matrices[n] = (ms_tracked_matrix){.projection = parameter->group_names[group],
                                                  .layer = layer,
                                                  .rows = (int)rows,
                                                  .cols = (int)shape.dim[2]};
                if (places) places[n] = (tracked_place){i, layer, group, row * shape.dim[2], rows * shape.dim[2]};
                n++;
            }
        }
    }
}

static ms_tracker_options tracker_options(const ms_trainer *trainer, const ms_config *config,
                                          const ms_tracked_matrix *matrices, int n_matrices) {
    int threads = config->tracker.threads ? (int)config->tracker.threads : ms_device_threads(trainer->device);
    return (ms_tracker_options){.path = "",
                                .matrices = matrices,
                                .n_matrices = n_matrices,
                                .n_slots = (int)config->tracker.slots,
                                .n_threads = threads > 0 ? threads : 1,
                                .when_behind = config->tracker.when_behind,
                                .resume_after_step = -1};
}

size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_config *config) {
    int n = count_matrices(trainer);
    ms_tracked_matrix *matrices = calloc((size_t)n + 1, sizeof *matrices);
    if (!matrices) return 0;
    list_matrices(trainer, matrices, NULL);
    ms_tracker_options options = tracker_options(trainer, config, matrices, n);
    size_t bytes = ms_tracker_planned_bytes(&options);
    for (int i = 0; i < n && ms_device_copies_announced(trainer->device); i++)
        bytes += (size_t)matrices[i].rows * (size_t)matrices[i].cols * sizeof(float);
    free(matrices);
    return bytes;
}

static void list_parts(ms_tracking *tracking) {
    for (int i = 0; i < tracking->n_matrices; i++) {
        const tracked_place *place = &tracking->places[i];
        int variable = tracking->trainer->model.parameters[place->i_parameter].variable;
        tracking->parts[i] = (ms_store_part){variable, place->offset, place->count};
    }
}

static void free_tracking(ms_tracking *tracking) {
    free(tracking->matrices);
    free(tracking->places);
    free(tracking->parts);
    free(tracking->maxima);
    free(tracking);
}

ms_status ms_tracking_open(ms_trainer *trainer, const ms_config *config, const char *path, int64_t resume_after_step,
                           ms_tracking **out) {
    *out = NULL;
    ms_tracking *tracking = calloc(1, sizeof *tracking);
    if (!tracking) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory");
    size_t n = (size_t)count_matrices(trainer);
    tracking->trainer = trainer;
    tracking->n_matrices = (int)n;
    tracking->matrices = calloc(n + 1, sizeof *tracking->matrices);
    tracking->places = calloc(n + 1, sizeof *tracking->places);
    tracking->parts = calloc(n + 1, sizeof *tracking->parts);
    tracking->maxima = calloc(n + 1, sizeof *tracking->maxima);
    ms_status status = MS_OK;
    if (!tracking->matrices || !tracking->places || !tracking->parts || !tracking->maxima) {
        status = MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %zu matrices", n);
    } else {
        list_matrices(trainer, tracking->matrices, tracking->places);
        list_parts(tracking);
        ms_tracker_options options = tracker_options(trainer, config, tracking->matrices, tracking->n_matrices);
        options.path = path;
        options.resume_after_step = resume_after_step;
        /* Memory for copies is taken now, and not in the middle of the run. */
        status = ms_store_announce(trainer->store, tracking->parts, tracking->n_matrices);
        if (status == MS_OK) status = ms_tracker_create(&options, &tracking->tracker);
    }
    if (status != MS_OK) {
        free_tracking(tracking);
        return status;
    }
    *out = tracking;
    return MS_OK;
}

static ms_status download_weights(ms_tracking *tracking, float **buffers) {
    return ms_store_download_parts(tracking->trainer->store, tracking->parts, tracking->n_matrices,
                                   (void *const *)buffers);
}

/* A snapshot was begun, and its update has been made. */
static bool has_new_weights_to_fetch(const ms_tracking *tracking) { return tracking->slot && tracking->slot_step >= 0; }

/* Fetches the new weights of a snapshot, and hands it to the tracker.  The slot of a step that failed before its update
   is left: closing the tracker drops it. */
static ms_status complete_snapshot(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot;
    if (!has_new_weights_to_fetch(tracking)) return MS_OK;
    tracking->slot = NULL;
    MS_TRY(download_weights(tracking, slot->weight_after));
    return ms_tracker_submit(tracking->tracker, slot, tracking->slot_step, tracking->slot_tokens);
}

ms_status ms_tracking_close(ms_tracking *tracking) {
    if (!tracking) return MS_OK;
    ms_status status = complete_snapshot(tracking), closed = ms_tracker_close(tracking->tracker);
    if (status == MS_OK) status = closed;
    free_tracking(tracking);
    return status;
}

static ms_status before_work(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    if (!tracking->want_snapshot && !has_new_weights_to_fetch(tracking)) return MS_OK;
    return ms_store_announce(trainer->store, tracking->parts, tracking->n_matrices);
}

static ms_status while_working(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    (void)trainer; /* the same as tracking->trainer */
    MS_TRY(complete_snapshot(tracking));
    if (!tracking->want_snapshot) return MS_OK;
    MS_TRY(ms_tracker_acquire(tracking->tracker, &tracking->slot));
    tracking->slot_step = -1;
    return tracking->slot ? download_weights(tracking, tracking->slot->weight_before) : MS_OK;
}

ms_step_hooks ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot) {
    tracking->want_snapshot = want_snapshot;
    return (ms_step_hooks){before_work, while_working, tracking};
}

static double larger(double a, double b) { return a > b ? a : b; }

void ms_tracking_after_update(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot;
    for (int i = 0; i < tracking->n_matrices; i++) {
        const tracked_place *place = &tracking->places[i];
        ms_norms now = ms_trainer_norms(tracking->trainer, place->i_parameter, place->layer, place->group);
        ms_norms *most = &tracking->maxima[i];
        *most = (ms_norms){larger(most->gradient, now.gradient), larger(most->weight, now.weight),
                           larger(most->update, now.update)};
        if (!slot) continue;
        slot->grad_norm[i] = now.gradient;
        slot->weight_norm[i] = now.weight;
        slot->update_norm[i] = now.update;
        slot->grad_norm_max[i] = most->gradient;
        slot->weight_norm_max[i] = most->weight;
        slot->update_norm_max[i] = most->update;
    }
    if (!slot) return;
    tracking->slot_step = tracking->trainer->step;
    tracking->slot_tokens = tracking->trainer->tokens_seen;
    memset(tracking->maxima, 0, (size_t)tracking->n_matrices * sizeof *tracking->maxima);
}

ms_status ms_tracking_drain(ms_tracking *tracking) {
    MS_TRY(complete_snapshot(tracking));
    return ms_tracker_drain(tracking->tracker);
}

int64_t ms_tracking_n_skipped(const ms_tracking *tracking) { return ms_tracker_n_skipped(tracking->tracker); }

/* "n g w u g w u ...", numbers as hexadecimal floats: exact and independent of the locale's rounding. */
ms_status ms_tracking_state(const ms_tracking *tracking, char **out_text) {
    size_t size = 32 + (size_t)tracking->n_matrices * 3 * 32, used = 0;
    char *text = malloc(size);
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for its state");
    used += (size_t)snprintf(text, size, "%d", tracking->n_matrices);
    for (int i = 0; i < tracking->n_matrices; i++)
        used += (size_t)snprintf(text + used, size - used, " %a %a %a", tracking->maxima[i].gradient,
                                 tracking->maxima[i].weight, tracking->maxima[i].update);
    return MS_OK;
}

ms_status ms_tracking_restore(ms_tracking *tracking, const char *text) {
    char *cursor;
    long n = strtol(text, &cursor, 10);
    if (cursor == text || n != tracking->n_matrices)
        return MS_FAIL(MS_CORRUPT, "checkpoint: norms of %ld matrices, this model tracks %d", n, tracking->n_matrices);
    for (int i = 0; i < tracking->n_matrices; i++) {
        double *fields[] = {&tracking->maxima[i].gradient, &tracking->maxima[i].weight, &tracking->maxima[i].update};
        for (int j = 0; j < 3; j++) {
            char *end;
            *fields[j] = strtod(cursor, &end);
            if (end == cursor)
                return MS_FAIL(MS_CORRUPT, "checkpoint: the tracker's state ends at matrix %d of %ld", i, n);
            cursor = end;
        }
    }
    return MS_OK;
}
