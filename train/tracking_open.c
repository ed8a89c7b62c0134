/* Making a tracking, what it takes, and its end. */
#include <math.h>
#include <stdlib.h>

#include "train/tracking_impl.h"
#include "train/trainer_group.h"

/* A number for the matrices that share one stored matrix of one layer; 0: it is stored alone. */
static int whole_of(const ms_trainer *trainer, const ms_weight_matrix *matrix) {
    const ms_model *model = &trainer->model;
    if (model->parameters[matrix->i_parameter].n_groups < 2) return 0;
    return 1 + matrix->layer * model->n_parameters + matrix->i_parameter;
}

/* What trackers are told; the caller frees it. */
typedef struct description {
    ms_tracker_options options; /* but for file and resumption */
    ms_tracked_matrix *matrices;
    bool *elsewhere; /* NULL: no other rank tracks any */
} description;

static void free_description(description *of) {
    free(of->matrices);
    free(of->elsewhere);
}

static ms_status list_tracked(const ms_trainer *trainer, int n, description *out) {
    ms_weight_matrix *from = calloc((size_t)n + 1, sizeof *from);
    int *owners = calloc((size_t)n + 1, sizeof *owners);
    out->matrices = calloc((size_t)n + 1, sizeof *out->matrices);
    if (ms_tracking_is_shared(trainer)) out->elsewhere = calloc((size_t)n + 1, sizeof *out->elsewhere);
    bool has_all = from && owners && out->matrices && (out->elsewhere || !ms_tracking_is_shared(trainer));
    if (has_all) {
        ms_weight_matrices(trainer, from, n);
        ms_tracking_find_owners(trainer, from, n, owners);
    }
    for (int i = 0; i < n && has_all; i++) {
        out->matrices[i] = (ms_tracked_matrix){.projection = from[i].projection,
                                               .layer = from[i].layer,
                                               .rows = (int)from[i].rows,
                                               .cols = (int)from[i].columns,
                                               .whole = whole_of(trainer, &from[i])};
        if (out->elsewhere) out->elsewhere[i] = owners[i] != trainer->shared->rank;
    }
    free(from);
    free(owners);
    return has_all ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %d matrices", n);
}

static ms_status describe(const ms_trainer *trainer, const ms_tracking_options *wanted, description *out) {
    int n = ms_weight_matrices(trainer, NULL, 0);
    *out = (description){.matrices = NULL};
    MS_TRY(list_tracked(trainer, n, out));
    int threads = wanted->n_threads ? wanted->n_threads : ms_device_threads(trainer->device);
    out->options =
        (ms_tracker_options){.path = "",
                             .matrices = out->matrices,
                             .n_matrices = n,
                             .elsewhere = out->elsewhere,
                             .n_slots = wanted->n_slots ? wanted->n_slots : 2,
                             .n_threads = threads > 0 ? threads : 1,
                             /* Ranks agree before about what is skipped. */
                             .when_behind = out->elsewhere ? MS_WHEN_BEHIND_WAIT : wanted->when_behind,
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
                                   .elsewhere = options->elsewhere,
                                   .n_threads = options->n_threads,
                                   .has_all_lines = wanted->planned_every > 0};
}

size_t ms_tracking_planned_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted) {
    description of;
    size_t bytes = 0;
    if (describe(trainer, wanted, &of) == MS_OK) {
        ms_step_sigma_options steps = steps_of(&of.options, wanted);
        if (of.elsewhere && trainer->shared->rank > 0) of.options.path = NULL;
        bytes = ms_tracker_planned_bytes(&of.options);
        if (wanted->every_step != MS_EVERY_STEP_NONE) bytes += ms_step_sigma_planned_bytes(&steps);
        size_t copies = 1 + (of.options.has_momentum ? 1 : 0) + (of.options.has_orthogonal ? 1 : 0);
        for (int i = 0; i < of.options.n_matrices && ms_device_copies_announced(trainer->device); i++)
            if (!of.elsewhere || !of.elsewhere[i])
                bytes += (size_t)of.matrices[i].rows * (size_t)of.matrices[i].cols * copies * sizeof(float);
    }
    free_description(&of);
    return bytes;
}

size_t ms_tracking_full_bytes(const ms_trainer *trainer, const ms_tracking_options *wanted) {
    description of;
    size_t bytes = describe(trainer, wanted, &of) == MS_OK ? ms_tracker_full_bytes(&of.options) : 0;
    free_description(&of);
    return bytes;
}

static void free_tracking(ms_tracking *tracking) {
    free(tracking->matrices);
    free(tracking->parts);
    free(tracking->maxima);
    free(tracking->sums);
    free(tracking->owners);
    free(tracking->n_computed);
    free(tracking->kernels);
    ms_growth_finish(&tracking->growth);
    ms_noise_null_finish(&tracking->noise_null);
    free(tracking);
}

/* Of each own matrix where it lies in the store, and where what is captured of it does. */
static void list_parts(ms_tracking *tracking) {
    const ms_optimizer *optimizer = &tracking->trainer->optimizer;
    for (int capture = -1; capture < MS_CAPTURE_COUNT; capture++) {
        if (capture >= 0 && !ms_optimizer_captures(optimizer, (ms_capture)capture)) continue;
        for (int i = 0; i < tracking->n_matrices; i++) {
            const ms_weight_matrix *matrix = &tracking->matrices[i];
            if (tracking->owners[i] != tracking->rank) continue;
            ms_store_part *part = &tracking->parts[tracking->n_parts++];
            *part = matrix->part;
            if (capture >= 0) part->variable = optimizer->parameters[matrix->i_parameter].captures[capture];
        }
        if (capture < 0) tracking->n_own = tracking->n_parts;
    }
}

static ms_status list_matrices(ms_tracking *tracking) {
    size_t n = (size_t)ms_weight_matrices(tracking->trainer, NULL, 0);
    tracking->n_matrices = (int)n;
    tracking->matrices = calloc(n + 1, sizeof *tracking->matrices);
    tracking->parts = calloc((1 + MS_CAPTURE_COUNT) * n + 1, sizeof *tracking->parts);
    tracking->maxima = calloc(n + 1, sizeof *tracking->maxima);
    tracking->sums = calloc(n + 1, sizeof *tracking->sums);
    tracking->owners = calloc(n + 1, sizeof *tracking->owners);
    if (!tracking->matrices || !tracking->parts || !tracking->maxima || !tracking->sums || !tracking->owners)
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %zu matrices", n);
    ms_weight_matrices(tracking->trainer, tracking->matrices, (int)n);
    ms_tracking_find_owners(tracking->trainer, tracking->matrices, (int)n, tracking->owners);
    list_parts(tracking);
    MS_TRY(ms_growth_init(tracking->trainer, tracking->matrices, (int)n, &tracking->growth));
    return ms_noise_null_init(tracking->trainer, tracking->matrices, (int)n, &tracking->noise_null);
}

static ms_status create_trackers(ms_tracking *tracking, const ms_tracking_options *wanted,
                                 const ms_tracking_files *files) {
    description of;
    ms_status status = describe(tracking->trainer, wanted, &of);
    ms_step_sigma_options steps = steps_of(&of.options, wanted);
    of.options.path = files->spectra;
    steps.path = files->sigma_max;
    of.options.resume_after_step = steps.resume_after_step = files->resume_after_step;
    tracking->n_slots = of.options.n_slots;
    tracking->skips = wanted->when_behind == MS_WHEN_BEHIND_SKIP;
    if (status == MS_OK) status = ms_tracker_create(&of.options, &tracking->tracker);
    if (status == MS_OK && wanted->every_step != MS_EVERY_STEP_NONE)
        status = ms_step_sigma_create(&steps, &tracking->steps);
    free_description(&of);
    return status;
}

static ms_status open_own(ms_tracking *tracking, const ms_tracking_options *wanted, const ms_tracking_files *files) {
    ms_trainer *trainer = tracking->trainer;
    if (ms_tracking_is_shared(trainer)) {
        tracking->group = trainer->shared->group;
        tracking->rank = trainer->shared->rank;
        tracking->n_computed = calloc((size_t)trainer->shared->n_ranks, sizeof *tracking->n_computed);
        tracking->kernels = calloc((size_t)trainer->shared->n_ranks, sizeof *tracking->kernels);
        if (!tracking->n_computed || !tracking->kernels) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory");
    }
    MS_TRY(list_matrices(tracking));
    /* Memory for copies is taken now, and not in the middle of the run. */
    MS_TRY(ms_store_announce(trainer->store, tracking->parts, tracking->n_parts));
    return create_trackers(tracking, wanted, files);
}

ms_status ms_tracking_open(ms_trainer *trainer, const ms_tracking_options *wanted, const ms_tracking_files *files,
                           ms_tracking **out) {
    *out = NULL;
    ms_tracking *tracking = calloc(1, sizeof *tracking);
    if (!tracking) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory");
    tracking->trainer = trainer;
    tracking->decay_share = NAN;
    ms_status status = open_own(tracking, wanted, files);
    if (status == MS_OK && tracking->group && tracking->rank == 0)
        status = ms_group_lead(tracking->group, MS_GROUP_TRACK, files->resume_after_step);
    /* An error of rank 0 has ended the others already. */
    if (tracking->group && (status == MS_OK || tracking->rank > 0)) status = ms_group_agree(tracking->group, status);
    if (tracking->group && status == MS_OK) status = ms_tracking_compare_kernels(tracking);
    if (status != MS_OK) {
        ms_tracker_close(tracking->tracker); /* nothing was written: the first error is the one to report */
        ms_step_sigma_close(tracking->steps);
        free_tracking(tracking);
        return status;
    }
    *out = tracking;
    return MS_OK;
}

ms_status ms_tracking_close(ms_tracking *tracking) {
    if (!tracking) return MS_OK;
    bool lacks_something = !tracking->group && tracking->slot && tracking->slot_step >= 0;
    ms_status status = lacks_something ? ms_tracking_complete(tracking) : MS_OK;
    ms_status closed = ms_tracker_close(tracking->tracker);
    if (status == MS_OK) status = closed;
    closed = ms_step_sigma_close(tracking->steps);
    if (status == MS_OK) status = closed;
    free_tracking(tracking);
    return status;
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

const char *ms_tracking_note(const ms_tracking *tracking) { return tracking->note[0] ? tracking->note : NULL; }

int64_t ms_tracking_n_skipped(const ms_tracking *tracking) {
    return ms_tracker_n_skipped(tracking->tracker) + tracking->n_skipped;
}
