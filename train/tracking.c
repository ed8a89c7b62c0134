#include "train/tracking.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/growth.h"
#include "train/matrices.h"
#include "train/noise_null.h"

struct ms_tracking {
    ms_trainer *trainer; /* borrowed */
    ms_tracker *tracker;
    ms_step_sigma *steps; /* NULL: no step is followed */
    ms_weight_matrix *matrices;
    ms_store_part *parts; /* [1 + MS_CAPTURE_COUNT][n_matrices]: the same in the store, then what is captured of each */
    int n_parts;          /* with what is captured */
    ms_norms *maxima;     /* since the last snapshot */
    ms_noise_null noise_null;
    ms_growth growth;
    ms_step_sigma_sums *sums; /* [n_matrices], while a snapshot is handed over */
    double decay_share;       /* of the last step; NaN: not known, or none was made */
    double coming_lr;         /* of layer matrices, of the step whose gradients are made */
    int n_matrices;
    bool want_snapshot;
    ms_tracker_slot *slot;          /* being filled, or NULL */
    int64_t slot_step, slot_tokens; /* of the update that the slot shows; -1: it has not been made */
    bool slot_is_fetched;           /* it lacks only what the followed steps up to its own give */
};

/* A number for the matrices that share one stored matrix of one layer; 0: it is stored alone. */
static int whole_of(const ms_trainer *trainer, const ms_weight_matrix *matrix) {
    const ms_model *model = &trainer->model;
    if (model->parameters[matrix->i_parameter].n_groups < 2) return 0;
    return 1 + matrix->layer * model->n_parameters + matrix->i_parameter;
}

/* The options of the tracker but for file and resumption, and the matrices as it sees them; the caller frees those. */
static ms_status describe(const ms_trainer *trainer, const ms_tracking_options *wanted, ms_tracker_options *out,
                          ms_tracked_matrix **out_matrices) {
    int n = ms_weight_matrices(trainer, NULL, 0);
    ms_weight_matrix *from = calloc((size_t)n + 1, sizeof *from);
    ms_tracked_matrix *to = calloc((size_t)n + 1, sizeof *to);
    *out_matrices = to;
    if (from && to) {
        ms_weight_matrices(trainer, from, n);
        for (int i = 0; i < n; i++)
            to[i] = (ms_tracked_matrix){.projection = from[i].projection,
                                        .layer = from[i].layer,
                                        .rows = (int)from[i].rows,
                                        .cols = (int)from[i].columns,
                                        .whole = whole_of(trainer, &from[i])};
    }
    free(from);
    if (!from || !to) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %d matrices", n);
    int threads = wanted->n_threads ? wanted->n_threads : ms_device_threads(trainer->device);
    *out = (ms_tracker_options){.path = "",
                                .matrices = to,
                                .n_matrices = n,
                                .n_slots = wanted->n_slots ? wanted->n_slots : 2,
                                .n_threads = threads > 0 ? threads : 1,
                                .when_behind = wanted->when_behind,
                                .has_momentum = ms_optimizer_captures(&trainer->optimizer, MS_CAPTURE_MOMENTUM),
                                .has_orthogonal = ms_optimizer_captures(&trainer->optimizer, MS_CAPTURE_ORTHOGONAL),
                                .planned_every = wanted->planned_every,
                                .full_folder = wanted->full_folder,
                                .watch = wanted->watch,
                                .resume_after_step = -1};
    return MS_OK;
}

static ms_step_sigma_options steps_of(const ms_tracker_options *options, const ms_tracking_options *wanted) {
    return (ms_step_sigma_options){.matrices = options->matrices,
                                   .n_matrices = options->n_matrices,
                                   .n_threads = options->n_threads,
                                   .has_all_lines = wanted->planned_every > 0};
}

size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted) {
    ms_tracker_options options;
    ms_tracked_matrix *matrices;
    size_t bytes = 0;
    if (describe(trainer, wanted, &options, &matrices) == MS_OK) {
        bytes = ms_tracker_planned_bytes(&options);
        ms_step_sigma_options steps = steps_of(&options, wanted);
        if (wanted->every_step != MS_EVERY_STEP_NONE) bytes += ms_step_sigma_planned_bytes(&steps);
        size_t copies = 1 + (options.has_momentum ? 1 : 0) + (options.has_orthogonal ? 1 : 0);
        for (int i = 0; i < options.n_matrices && ms_device_copies_announced(trainer->device); i++)
            bytes += (size_t)matrices[i].rows * (size_t)matrices[i].cols * copies * sizeof(float);
    }
    free(matrices);
    return bytes;
}

size_t ms_tracking_full_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted) {
    ms_tracker_options options;
    ms_tracked_matrix *matrices;
    size_t bytes = describe(trainer, wanted, &options, &matrices) == MS_OK ? ms_tracker_full_bytes(&options) : 0;
    free(matrices);
    return bytes;
}

static void free_tracking(ms_tracking *tracking) {
    free(tracking->matrices);
    free(tracking->parts);
    free(tracking->maxima);
    free(tracking->sums);
    ms_growth_finish(&tracking->growth);
    ms_noise_null_finish(&tracking->noise_null);
    free(tracking);
}

static ms_status list_matrices(ms_tracking *tracking) {
    size_t n = (size_t)ms_weight_matrices(tracking->trainer, NULL, 0);
    tracking->n_matrices = (int)n;
    tracking->matrices = calloc(n + 1, sizeof *tracking->matrices);
    tracking->parts = calloc((1 + MS_CAPTURE_COUNT) * n + 1, sizeof *tracking->parts);
    tracking->maxima = calloc(n + 1, sizeof *tracking->maxima);
    tracking->sums = calloc(n + 1, sizeof *tracking->sums);
    if (!tracking->matrices || !tracking->parts || !tracking->maxima || !tracking->sums)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %zu matrices", n);
    ms_weight_matrices(tracking->trainer, tracking->matrices, (int)n);
    for (size_t i = 0; i < n; i++) tracking->parts[i] = tracking->matrices[i].part;
    tracking->n_parts = (int)n;
    const ms_optimizer *optimizer = &tracking->trainer->optimizer;
    for (int capture = 0; capture < MS_CAPTURE_COUNT; capture++) {
        if (!ms_optimizer_captures(optimizer, (ms_capture)capture)) continue;
        for (size_t i = 0; i < n; i++) {
            ms_store_part *part = &tracking->parts[tracking->n_parts++];
            *part = tracking->matrices[i].part;
            part->variable = optimizer->parameters[tracking->matrices[i].i_parameter].captures[capture];
        }
    }
    MS_TRY(ms_growth_init(tracking->trainer, tracking->matrices, (int)n, &tracking->growth));
    return ms_noise_null_init(tracking->trainer, tracking->matrices, (int)n, &tracking->noise_null);
}

static ms_status create_trackers(ms_tracking *tracking, const ms_tracking_options *wanted,
                                 const ms_tracking_files *files) {
    ms_tracker_options options = {0};
    ms_tracked_matrix *matrices;
    ms_status status = describe(tracking->trainer, wanted, &options, &matrices);
    ms_step_sigma_options steps = steps_of(&options, wanted);
    options.path = files->spectra;
    steps.path = files->sigma_max;
    options.resume_after_step = steps.resume_after_step = files->resume_after_step;
    if (status == MS_OK) status = ms_tracker_create(&options, &tracking->tracker);
    if (status == MS_OK && wanted->every_step != MS_EVERY_STEP_NONE)
        status = ms_step_sigma_create(&steps, &tracking->steps);
    free(matrices);
    return status;
}

ms_status ms_tracking_open(ms_trainer *trainer, const ms_tracking_options *wanted, const ms_tracking_files *files,
                           ms_tracking **out) {
    *out = NULL;
    ms_tracking *tracking = calloc(1, sizeof *tracking);
    if (!tracking) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory");
    tracking->trainer = trainer;
    tracking->decay_share = NAN;
    ms_status status = list_matrices(tracking);
    /* Memory for copies is taken now, and not in the middle of the run. */
    if (status == MS_OK) status = ms_store_announce(trainer->store, tracking->parts, tracking->n_parts);
    if (status == MS_OK) status = create_trackers(tracking, wanted, files);
    if (status != MS_OK) {
        ms_tracker_close(tracking->tracker); /* nothing was written: the first error is the one to report */
        free_tracking(tracking);
        return status;
    }
    *out = tracking;
    return MS_OK;
}

/* n_parts: only the weights, or what is captured too.  buffers: one each. */
static ms_status download(ms_tracking *tracking, int n_parts, float **buffers) {
    return ms_store_download_parts(tracking->trainer->store, tracking->parts, n_parts, (void *const *)buffers);
}

/* A snapshot was begun, and its update has been made. */
static bool has_new_weights_to_fetch(const ms_tracking *tracking) {
    return tracking->slot && tracking->slot_step >= 0 && !tracking->slot_is_fetched;
}

/* The weights as they are have not been handed over yet. */
static bool has_step_to_fetch(const ms_tracking *tracking) {
    return tracking->steps && ms_step_sigma_step(tracking->steps) != tracking->trainer->step;
}

static ms_status fetch_step(ms_tracking *tracking) {
    const ms_trainer *trainer = tracking->trainer;
    float **places;
    if (!has_step_to_fetch(tracking)) return MS_OK;
    MS_TRY(ms_step_sigma_next(tracking->steps, &places));
    MS_TRY(download(tracking, tracking->n_matrices, places));
    return ms_step_sigma_submit(
        tracking->steps, &(ms_step_sigma_submission){trainer->step, trainer->tokens_seen, tracking->decay_share});
}

/* What the steps up to the snapshot's gave; NaN where they are not followed. */
static ms_status report_steps(ms_tracking *tracking, ms_tracker_slot *slot) {
    if (tracking->steps) MS_TRY(ms_step_sigma_take(tracking->steps, tracking->sums));
    for (int i = 0; i < tracking->n_matrices; i++) {
        const ms_step_sigma_sums nothing = {NAN, NAN, NAN, NAN, NAN};
        const ms_step_sigma_sums *sums = tracking->steps ? &tracking->sums[i] : &nothing;
        slot->growth_bound[i] = sums->bound;
        slot->ceiling_measured[i] = sums->total;
        slot->sigma_max_peak[i] = sums->sigma_peak;
        slot->sigma_residual_peak[i] = sums->residual_peak;
        slot->update_sigma_max_peak[i] = sums->update_peak;
    }
    return MS_OK;
}

/* Hands a snapshot that was fetched to the tracker. */
static ms_status submit_snapshot(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot;
    if (!tracking->slot_is_fetched) return MS_OK;
    tracking->slot = NULL;
    tracking->slot_is_fetched = false;
    MS_TRY(report_steps(tracking, slot));
    return ms_tracker_submit(tracking->tracker, slot, tracking->slot_step, tracking->slot_tokens);
}

/* Fetches the new weights of a snapshot and what was captured of its update.  The slot of a step that failed before its
   update is left: closing the tracker drops it. */
static ms_status fetch_snapshot(ms_tracking *tracking) {
    if (!has_new_weights_to_fetch(tracking)) return MS_OK;
    /* momentum and orthogonal follow it */
    MS_TRY(download(tracking, tracking->n_parts, tracking->slot->weight_after));
    tracking->slot_is_fetched = true;
    return MS_OK;
}

/* A snapshot that was fetched is of the step before the one that is fetched now, whose sums are not its own. */
static ms_status complete_all(ms_tracking *tracking) {
    MS_TRY(submit_snapshot(tracking));
    MS_TRY(fetch_step(tracking));
    MS_TRY(fetch_snapshot(tracking));
    return submit_snapshot(tracking);
}

ms_status ms_tracking_close(ms_tracking *tracking) {
    if (!tracking) return MS_OK;
    ms_status status = tracking->slot && tracking->slot_step >= 0 ? complete_all(tracking) : MS_OK;
    ms_status closed = ms_tracker_close(tracking->tracker);
    if (status == MS_OK) status = closed;
    closed = ms_step_sigma_close(tracking->steps);
    if (status == MS_OK) status = closed;
    free_tracking(tracking);
    return status;
}

static ms_status before_work(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    bool has_new = has_new_weights_to_fetch(tracking);
    if (!tracking->want_snapshot && !has_new && !has_step_to_fetch(tracking)) return MS_OK;
    return ms_store_announce(trainer->store, tracking->parts, has_new ? tracking->n_parts : tracking->n_matrices);
}

static ms_status while_working(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    double others_lr;
    MS_TRY(ms_trainer_next_rates(trainer, &tracking->coming_lr, &others_lr)); /* the same as tracking->trainer */
    MS_TRY(submit_snapshot(tracking));
    MS_TRY(fetch_step(tracking));
    MS_TRY(fetch_snapshot(tracking));
    /* The work on the last step has all of the coming one, unless the next snapshot needs the slot. */
    if (!tracking->steps || tracking->want_snapshot) MS_TRY(submit_snapshot(tracking));
    if (!tracking->want_snapshot) return MS_OK;
    MS_TRY(ms_tracker_acquire(tracking->tracker, &tracking->slot));
    tracking->slot_step = -1;
    trainer->capture_next = tracking->slot != NULL;
    return tracking->slot ? download(tracking, tracking->n_matrices, tracking->slot->weight_before) : MS_OK;
}

ms_status ms_tracking_take_first(ms_tracking *tracking) {
    ms_tracker_slot *slot;
    MS_TRY(ms_tracker_acquire(tracking->tracker, &slot)); /* all slots are free */
    slot->has_update = false;
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...)                                                                                                 \
    for (int i = 0; i < tracking->n_matrices; i++) slot->key[i] = NAN;
#include "tracker/metrics.def"
    MS_TRY(download(tracking, tracking->n_matrices, slot->weight_after));
    MS_TRY(fetch_step(tracking));
    return ms_tracker_submit(tracking->tracker, slot, tracking->trainer->step, tracking->trainer->tokens_seen);
}

ms_step_hooks ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot) {
    tracking->want_snapshot = want_snapshot;
    return (ms_step_hooks){before_work, while_working, tracking};
}

static double larger(double a, double b) { return a > b ? a : b; }

/* c of the step that was just made; NaN: decay is of another form. */
static double last_decay_share(const ms_trainer *trainer) {
    const ms_optimizer_rule_in_use *in_use = &trainer->optimizer.rules[0];
    const ms_interventions *interventions = &trainer->optimizer.config.interventions;
    bool is_plain = !interventions->cautious_decay && !ms_interventions_on_weights(interventions);
    return is_plain && in_use->use.rule->decay_share
               ? in_use->use.rule->decay_share(in_use->use.settings, trainer->last_rate)
               : NAN;
}

void ms_tracking_after_update(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot_is_fetched ? NULL : tracking->slot;
    ms_noise_null_advance(&tracking->noise_null, tracking->trainer, tracking->coming_lr);
    ms_growth_advance(&tracking->growth, tracking->trainer, tracking->coming_lr);
    tracking->decay_share = last_decay_share(tracking->trainer);
    for (int i = 0; i < tracking->n_matrices; i++) {
        const ms_weight_matrix *matrix = &tracking->matrices[i];
        ms_norms now = ms_trainer_norms(tracking->trainer, matrix->i_parameter, matrix->layer, matrix->group);
        ms_norms *most = &tracking->maxima[i];
        *most = (ms_norms){larger(most->gradient, now.gradient), larger(most->weight, now.weight),
                           larger(most->update, now.update)};
        if (!slot) continue;
        slot->grad_norm[i] = now.gradient;
        slot->update_norm[i] = now.update;
        slot->grad_norm_max[i] = most->gradient;
        slot->weight_norm_max[i] = most->weight;
        slot->update_norm_max[i] = most->update;
        slot->noise_null[i] = ms_noise_null_sigma(&tracking->noise_null, i);
    }
    if (!slot) return;
    ms_growth_report(&tracking->growth, slot);
    slot->decay_share = tracking->decay_share;
    tracking->slot_step = tracking->trainer->step;
    tracking->slot_tokens = tracking->trainer->tokens_seen;
    memset(tracking->maxima, 0, (size_t)tracking->n_matrices * sizeof *tracking->maxima);
}

ms_status ms_tracking_drain(ms_tracking *tracking) {
    MS_TRY(complete_all(tracking));
    if (tracking->steps) MS_TRY(ms_step_sigma_drain(tracking->steps));
    return ms_tracker_drain(tracking->tracker);
}

const struct ms_run_log_mending *ms_tracking_mending(const ms_tracking *tracking) {
    return ms_tracker_mending(tracking->tracker);
}

const struct ms_run_log_mending *ms_tracking_full_mending(const ms_tracking *tracking) {
    return ms_tracker_full_mending(tracking->tracker);
}

const struct ms_run_log_mending *ms_tracking_step_mending(const ms_tracking *tracking) {
    return tracking->steps ? ms_step_sigma_mending(tracking->steps) : NULL;
}

ms_status ms_tracking_check_files(const ms_tracking *tracking) {
    MS_TRY(ms_tracker_check_file(tracking->tracker));
    return tracking->steps ? ms_step_sigma_check_file(tracking->steps) : MS_OK;
}

int64_t ms_tracking_n_skipped(const ms_tracking *tracking) { return ms_tracker_n_skipped(tracking->tracker); }

/* "n g w u g w u ... null ...", numbers as hexadecimal floats: exact and independent of the locale's rounding. */
static ms_status print_norms(const ms_tracking *tracking, char **out_text) {
    size_t size = 32 + (size_t)tracking->n_matrices * 3 * 32 + MS_NOISE_NULL_TEXT, used = 0;
    char *text = malloc(size);
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for its state");
    used += (size_t)snprintf(text, size, "%d", tracking->n_matrices);
    for (int i = 0; i < tracking->n_matrices; i++)
        used += (size_t)snprintf(text + used, size - used, " %a %a %a", tracking->maxima[i].gradient,
                                 tracking->maxima[i].weight, tracking->maxima[i].update);
    text[used++] = ' ';
    ms_noise_null_print(&tracking->noise_null, text + used);
    return MS_OK;
}

const char *const ms_tracking_text_keys[MS_TRACKING_N_TEXTS] = {[MS_TRACKING_NORMS] = "tracker_norms",
                                                                [MS_TRACKING_GROWTH] = "tracker_growth",
                                                                [MS_TRACKING_LAST] = "tracker_last",
                                                                [MS_TRACKING_STEPS] = "tracker_steps"};

ms_status ms_tracking_state(const ms_tracking *tracking, char *out_texts[MS_TRACKING_N_TEXTS]) {
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++) out_texts[i] = NULL;
    MS_TRY(print_norms(tracking, &out_texts[MS_TRACKING_NORMS]));
    MS_TRY(ms_growth_print(&tracking->growth, &out_texts[MS_TRACKING_GROWTH]));
    MS_TRY(ms_tracker_state(tracking->tracker, &out_texts[MS_TRACKING_LAST]));
    return tracking->steps ? ms_step_sigma_state(tracking->steps, &out_texts[MS_TRACKING_STEPS]) : MS_OK;
}

static ms_status restore_norms(ms_tracking *tracking, const char *text) {
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
    /* A checkpoint of an older version ends here: the null is then not known. */
    return *cursor == ' ' ? ms_noise_null_read(&tracking->noise_null, tracking->trainer, cursor + 1) : MS_OK;
}

ms_status ms_tracking_restore(ms_tracking *tracking, const char *const texts[MS_TRACKING_N_TEXTS]) {
    const char *growth = texts[MS_TRACKING_GROWTH], *last = texts[MS_TRACKING_LAST], *steps = texts[MS_TRACKING_STEPS];
    if (*texts[MS_TRACKING_NORMS]) MS_TRY(restore_norms(tracking, texts[MS_TRACKING_NORMS]));
    if (*growth) MS_TRY(ms_growth_read(&tracking->growth, growth));
    if (*steps && tracking->steps) MS_TRY(ms_step_sigma_restore(tracking->steps, steps));
    return *last ? ms_tracker_restore(tracking->tracker, last, tracking->trainer->step) : MS_OK;
}
