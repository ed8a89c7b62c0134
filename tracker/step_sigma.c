#include "tracker/step_sigma.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/background.h"
#include "platform/thread.h"
#include "tracker/decompose.h"
#include "tracker/exact_text.h"
#include "tracker/power.h"

const char *const ms_every_step_names[] = {
    [MS_EVERY_STEP_NONE] = "none", [MS_EVERY_STEP_SIGMA_MAX] = "sigma_max", NULL};

enum { DIGITS = 9 }; /* significant ones of a number in the file */

/* The BY_PROJECTION rows of tracker/step_sigma.def, of one matrix. */
typedef struct values {
#define ABOUT(key, ...)
#define BY_PROJECTION(key, ...) double key;
#include "tracker/step_sigma.def"
} values;

typedef struct followed {
    const ms_tracked_matrix *matrix; /* of ms_step_sigma.tracked, as is its name */
    const char *name;
    float *weights[2]; /* [rows, cols]; NULL: it is computed elsewhere */
    float *directions; /* as ms_power_sigma takes them */
    ms_step_sigma_sums sums;
    values values; /* of the step in work */
    ms_status status;
    char message[1024];
} followed;

/* A step whose values are kept until others have theirs. */
typedef struct kept_step {
    int64_t step, tokens;
    bool has_update;
} kept_step;

typedef struct thread_scratch {
    ms_power_scratch *power;
    ms_decompose_scratch *decompose;
} thread_scratch;

struct ms_step_sigma {
    ms_tracked_matrices tracked;
    followed *followed; /* [n] */
    float **places;     /* [n_own], lent */
    float *memory;      /* all weights and directions */
    int *order;         /* [n_own] matrices that are computed here, largest first */
    int n, n_own, n_threads;
    /* Where some are computed elsewhere; else NULL. */
    kept_step *kept;     /* [MS_STEP_SIGMA_KEPT] */
    values *kept_values; /* [MS_STEP_SIGMA_KEPT][n] */
    int n_kept, n_written;
    thread_scratch *scratch; /* [n_threads] */
    ms_pool *pool;
    ms_run_log *log;
    int64_t resume_after_step;
    int64_t newest_step; /* of the weights in weights[i_newest]; -1: none yet */
    int i_newest;
    bool is_lent;
    /* The work of the background thread. */
    int64_t step, tokens;
    bool has_update;
    double share_kept; /* of the matrix before, by decay: 1 - c */
    ms_background *background;
};

static bool is_own(const ms_step_sigma_options *options, int i) {
    return !options->elsewhere || !options->elsewhere[i];
}

static size_t floats_of(const ms_step_sigma_options *options, int i) {
    const ms_tracked_matrix *matrix = &options->matrices[i];
    size_t weights = is_own(options, i) ? 2 * ms_tracked_matrix_elements(matrix) : 0;
    return weights + ms_power_directions(matrix->rows, matrix->cols);
}

static void largest_sides(const ms_step_sigma_options *options, int *out_smaller, int *out_longer) {
    ms_tracked_largest_sides(options->matrices, options->n_matrices, false, out_smaller, out_longer);
}

size_t ms_step_sigma_planned_bytes(const ms_step_sigma_options *options) {
    int smaller, longer;
    largest_sides(options, &smaller, &longer);
    size_t n = (size_t)options->n_matrices, floats = 0;
    for (int i = 0; i < options->n_matrices; i++) floats += floats_of(options, i);
    size_t kept = options->elsewhere ? MS_STEP_SIGMA_KEPT * (sizeof(kept_step) + n * sizeof(values)) : 0;
    size_t per_thread =
        sizeof(thread_scratch) + ms_power_scratch_bytes(smaller, longer) + ms_decompose_scratch_bytes(smaller, longer);
    return sizeof(ms_step_sigma) + floats * sizeof(float) + ms_tracked_matrices_bytes(options->n_matrices) +
           n * (sizeof(followed) + sizeof(float *) + sizeof(int)) + kept + (size_t)options->n_threads * per_thread;
}

/* --- the background thread --- */

static ms_status compute(const ms_step_sigma *sigma, followed *of, thread_scratch *scratch) {
    const float *after = of->weights[sigma->i_newest], *before = of->weights[1 - sigma->i_newest];
    int rows = of->matrix->rows, cols = of->matrix->cols;
    ms_power_result power;
    MS_TRY(ms_power_sigma(scratch->power, &(ms_power_input){of->name, after, rows, cols}, of->directions, &power));
    of->values = (values){power.sigma, power.residual, NAN};
    if (!sigma->has_update) return MS_OK;
    ms_decompose_source update = {.name = of->name,
                                  .plus_is = " after the update",
                                  .minus_is = " before the update",
                                  .plus = after,
                                  .minus = before,
                                  .factor = sigma->share_kept,
                                  .rows = rows,
                                  .cols = cols};
    ms_decompose_request largest = {.values = MS_DECOMPOSE_LEADING};
    ms_decomposition found = {.values = &of->values.update_sigma_max};
    return ms_decompose(scratch->decompose, &update, &largest, &found);
}

static double larger(double a, double b) { return a > b ? a : b; }

static void add_up(const values *now, bool has_update, ms_step_sigma_sums *sums) {
    sums->sigma_peak = larger(sums->sigma_peak, now->sigma_max);
    sums->residual_peak = larger(sums->residual_peak, now->sigma_residual);
    if (!has_update) return;
    sums->update_peak = larger(sums->update_peak, now->update_sigma_max);
    sums->bound += now->update_sigma_max;
    sums->total += now->update_sigma_max;
}

static void compute_task(void *context, int64_t i_task, int i_thread) {
    ms_step_sigma *sigma = context;
    followed *of = &sigma->followed[sigma->order[i_task]];
    of->status = compute(sigma, of, &sigma->scratch[i_thread]);
    if (of->status != MS_OK) strncpy(of->message, ms_status_message(), sizeof of->message - 1);
}

/* {"q": [of layer 0, of layer 1, ...], ...}; `at`: where the number lies in a matrix's values.  *complete: false where
   memory ran out. */
static json_t *by_projection(const ms_step_sigma *sigma, size_t at, bool *complete) {
    json_t *object = json_object();
    for (int i = 0; i < sigma->n; i++) {
        const followed *of = &sigma->followed[i];
        double value;
        memcpy(&value, (const char *)&of->values + at, sizeof value);
        json_t *array = json_object_get(object, of->matrix->projection);
        if (!array) {
            *complete &= json_object_set_new(object, of->matrix->projection, json_array()) == 0;
            array = json_object_get(object, of->matrix->projection);
        }
        *complete &= json_array_append_new(array, ms_run_log_real(value)) == 0;
    }
    return object;
}

/* Adds up and writes the values of all matrices. */
static ms_status write_step(ms_step_sigma *sigma, const kept_step *of) {
    bool complete = true;
    int64_t step = of->step, tokens = of->tokens;
    for (int i = 0; i < sigma->n; i++) add_up(&sigma->followed[i].values, of->has_update, &sigma->followed[i].sums);
    json_t *line = json_object();
#define ABOUT(key, ...) complete &= json_object_set_new(line, #key, json_integer(key)) == 0;
#define BY_PROJECTION(key, ...)                                                                                        \
    complete &= json_object_set_new(line, #key, by_projection(sigma, offsetof(values, key), &complete)) == 0;
#include "tracker/step_sigma.def"
    ms_status status =
        complete ? ms_run_log_append(sigma->log, line) : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a line");
    json_decref(line);
    return status;
}

static ms_status keep(ms_step_sigma *sigma, const kept_step *of) {
    if (sigma->n_kept == MS_STEP_SIGMA_KEPT)
        return MS_FAIL(MS_INTERNAL, "the values of %d steps were not written", sigma->n_kept);
    values *to = sigma->kept_values + (size_t)sigma->n_kept * (size_t)sigma->n;
    for (int i = 0; i < sigma->n; i++) to[i] = sigma->followed[i].values;
    sigma->kept[sigma->n_kept++] = *of;
    return MS_OK;
}

static ms_status process(void *context) {
    ms_step_sigma *sigma = context;
    const kept_step made = {sigma->step, sigma->tokens, sigma->has_update};
    ms_pool_run(sigma->pool, sigma->n_own, compute_task, sigma);
    ms_status status = MS_OK;
    for (int i = 0; i < sigma->n && status == MS_OK; i++) {
        const followed *of = &sigma->followed[i];
        if (of->status != MS_OK) status = MS_FAIL(of->status, "%s", of->message);
    }
    if (status == MS_OK) status = sigma->kept ? keep(sigma, &made) : write_step(sigma, &made);
    return status == MS_OK ? MS_OK : ms_status_note(status, "sigma_max of step %lld", (long long)sigma->step);
}

/* --- the trainer's side --- */

static ms_status check_options(const ms_step_sigma_options *options) {
    if (options->n_matrices < 1 || options->n_threads < 1)
        return MS_FAIL(MS_INVALID, "sigma_max of every step: %d matrices, %d threads: each must be at least 1",
                       options->n_matrices, options->n_threads);
    for (int i = 0; i < options->n_matrices; i++)
        if (options->matrices[i].rows < 1 || options->matrices[i].cols < 1)
            return MS_FAIL(MS_INVALID, "sigma_max of every step: matrix %d has the shape [%d, %d]", i,
                           options->matrices[i].rows, options->matrices[i].cols);
    return MS_OK;
}

/* Matrices and their places. */
static ms_status create_matrices(const ms_step_sigma_options *options, ms_step_sigma *sigma) {
    size_t n = (size_t)options->n_matrices, floats = 0;
    MS_TRY(ms_tracked_matrices_init(options->matrices, options->n_matrices, &sigma->tracked));
    for (int i = 0; i < options->n_matrices; i++) floats += floats_of(options, i);
    sigma->followed = calloc(n, sizeof *sigma->followed);
    sigma->places = calloc(n, sizeof *sigma->places);
    sigma->order = calloc(n, sizeof *sigma->order);
    sigma->memory = malloc(floats * sizeof(float));
    if (options->elsewhere) sigma->kept = calloc(MS_STEP_SIGMA_KEPT, sizeof *sigma->kept);
    if (options->elsewhere) sigma->kept_values = calloc(MS_STEP_SIGMA_KEPT * n, sizeof *sigma->kept_values);
    bool has_kept = !options->elsewhere || (sigma->kept && sigma->kept_values);
    if (!sigma->followed || !sigma->places || !sigma->order || !sigma->memory || !has_kept)
        return MS_FAIL(MS_OUT_OF_MEMORY, "sigma_max of every step: no memory for %zu numbers", floats);
    memset(sigma->memory, 0, floats * sizeof(float)); /* pages are taken here, not within a step */
    sigma->n = options->n_matrices;
    float *place = sigma->memory;
    for (int i = 0; i < sigma->n; i++) {
        followed *of = &sigma->followed[i];
        of->matrix = &sigma->tracked.matrices[i];
        of->name = sigma->tracked.names[i];
        size_t size = is_own(options, i) ? ms_tracked_matrix_elements(of->matrix) : 0;
        of->weights[0] = size > 0 ? place : NULL;
        of->weights[1] = size > 0 ? place + size : NULL;
        of->directions = place + 2 * size;
        place += floats_of(options, i);
        if (options->resume_after_step >= 0) of->sums.bound = of->sums.total = NAN; /* until they are restored */
    }
    for (int k = 0; k < sigma->n; k++)
        if (is_own(options, sigma->tracked.order[k])) sigma->order[sigma->n_own++] = sigma->tracked.order[k];
    return MS_OK;
}

static ms_status create_threads(const ms_step_sigma_options *options, ms_step_sigma *sigma) {
    int smaller, longer;
    largest_sides(options, &smaller, &longer);
    sigma->scratch = calloc((size_t)options->n_threads, sizeof *sigma->scratch);
    if (!sigma->scratch)
        return MS_FAIL(MS_OUT_OF_MEMORY, "sigma_max of every step: no memory for %d threads", options->n_threads);
    sigma->n_threads = options->n_threads;
    MS_TRY(ms_pool_create(options->n_threads, &sigma->pool));
    for (int i = 0; i < options->n_threads; i++) {
        thread_scratch *scratch = &sigma->scratch[i];
        MS_TRY(ms_power_scratch_create(smaller, longer, &scratch->power));
        MS_TRY(ms_decompose_scratch_create(smaller, longer, &scratch->decompose));
    }
    return MS_OK;
}

static ms_status create_parts(const ms_step_sigma_options *options, ms_step_sigma *sigma) {
    sigma->newest_step = -1;
    sigma->resume_after_step = options->resume_after_step;
    MS_TRY(create_matrices(options, sigma));
    MS_TRY(create_threads(options, sigma));
    json_object_seed(0); /* before threads could race to do it; the order of keys does not depend on it */
    const ms_run_log_plan plan = {
        .every = options->has_all_lines ? 1 : 0, .lines_per_step = 1, .keys = ms_run_log_sigma_max_keys};
    if (options->path) {
        MS_TRY(ms_run_log_open(options->path, options->resume_after_step, &plan, &sigma->log));
        ms_run_log_set_digits(sigma->log, DIGITS);
    }
    return ms_background_create(process, sigma, &sigma->background);
}

ms_status ms_step_sigma_create(const ms_step_sigma_options *options, ms_step_sigma **out) {
    *out = NULL;
    MS_TRY(check_options(options));
    ms_step_sigma *sigma = calloc(1, sizeof *sigma);
    if (!sigma) return MS_FAIL(MS_OUT_OF_MEMORY, "sigma_max of every step");
    ms_status status = create_parts(options, sigma);
    if (status == MS_OK)
        *out = sigma;
    else
        ms_step_sigma_close(sigma); /* nothing was written: the first error is the one to report */
    return status;
}

int64_t ms_step_sigma_step(const ms_step_sigma *sigma) { return sigma->newest_step; }

ms_status ms_step_sigma_drain(ms_step_sigma *sigma) { return ms_background_wait(sigma->background); }

ms_status ms_step_sigma_next(ms_step_sigma *sigma, float ***out_weights) {
    *out_weights = NULL;
    MS_TRY(ms_step_sigma_drain(sigma));
    for (int i = 0, n = 0; i < sigma->n; i++)
        if (sigma->followed[i].weights[0]) sigma->places[n++] = sigma->followed[i].weights[1 - sigma->i_newest];
    sigma->is_lent = true;
    *out_weights = sigma->places;
    return MS_OK;
}

ms_status ms_step_sigma_submit(ms_step_sigma *sigma, const ms_step_sigma_submission *submission) {
    if (!sigma->is_lent)
        return MS_FAIL(MS_INVALID, "sigma_max of step %lld: its weights have no place", (long long)submission->step);
    double share = submission->decay_share;
    sigma->is_lent = false;
    sigma->i_newest = 1 - sigma->i_newest;
    sigma->has_update = sigma->newest_step >= 0;
    sigma->newest_step = sigma->step = submission->step;
    sigma->tokens = submission->tokens;
    sigma->share_kept = share >= 0 && share <= 1 ? 1 - share : 1;
    if (!sigma->has_update && submission->step == sigma->resume_after_step) return MS_OK;
    ms_background_start(sigma->background);
    return MS_OK;
}

ms_status ms_step_sigma_take(ms_step_sigma *sigma, ms_step_sigma_sums *out_sums) {
    MS_TRY(ms_step_sigma_drain(sigma));
    for (int i = 0; i < sigma->n; i++) {
        ms_step_sigma_sums *sums = &sigma->followed[i].sums;
        out_sums[i] = *sums;
        if (isnan(sums->bound)) out_sums[i].sigma_peak = out_sums[i].residual_peak = out_sums[i].update_peak = NAN;
        *sums = (ms_step_sigma_sums){.total = sums->total};
    }
    return MS_OK;
}

/* --- several of them --- */

size_t ms_step_sigma_kept_bytes(const ms_step_sigma *sigma) { return (size_t)sigma->n_kept * sizeof(values); }

void ms_step_sigma_get_kept(const ms_step_sigma *sigma, int i, void *out) {
    for (int k = 0; k < sigma->n_kept; k++)
        memcpy((char *)out + (size_t)k * sizeof(values), &sigma->kept_values[k * sigma->n + i], sizeof(values));
}

void ms_step_sigma_put_kept(ms_step_sigma *sigma, int i, const void *bytes) {
    for (int k = 0; k < sigma->n_kept; k++)
        memcpy(&sigma->kept_values[k * sigma->n + i], (const char *)bytes + (size_t)k * sizeof(values), sizeof(values));
}

ms_status ms_step_sigma_write_kept(ms_step_sigma *sigma, int64_t step) {
    for (; sigma->n_written < sigma->n_kept && sigma->kept[sigma->n_written].step <= step; sigma->n_written++) {
        const kept_step *of = &sigma->kept[sigma->n_written];
        for (int i = 0; i < sigma->n; i++)
            sigma->followed[i].values = sigma->kept_values[sigma->n_written * sigma->n + i];
        MS_TRY_NOTE(write_step(sigma, of), "sigma_max of step %lld", (long long)of->step);
    }
    return MS_OK;
}

void ms_step_sigma_forget_kept(ms_step_sigma *sigma) { sigma->n_kept = sigma->n_written = 0; }

size_t ms_step_sigma_directions_bytes(const ms_step_sigma *sigma, int i) {
    const ms_tracked_matrix *matrix = sigma->followed[i].matrix;
    return sizeof(float) * ms_power_directions(matrix->rows, matrix->cols);
}

void ms_step_sigma_get_directions(const ms_step_sigma *sigma, int i, void *out) {
    memcpy(out, sigma->followed[i].directions, ms_step_sigma_directions_bytes(sigma, i));
}

void ms_step_sigma_put_directions(ms_step_sigma *sigma, int i, const void *bytes) {
    memcpy(sigma->followed[i].directions, bytes, ms_step_sigma_directions_bytes(sigma, i));
}

/* --- "STEP N", then of each matrix " ROWS COLS SUMS DIRECTIONS" --- */

enum { HEAD = 80, N_SUMS = sizeof(ms_step_sigma_sums) / sizeof(double) };

ms_status ms_step_sigma_state(ms_step_sigma *sigma, char **out_text) {
    size_t size = HEAD;
    *out_text = NULL;
    MS_TRY(ms_step_sigma_drain(sigma));
    for (int i = 0; i < sigma->n; i++) {
        const ms_tracked_matrix *matrix = sigma->followed[i].matrix;
        size += HEAD + N_SUMS * MS_EXACT_F64 + MS_EXACT_F32 * ms_power_directions(matrix->rows, matrix->cols);
    }
    char *text = malloc(size), *end = text;
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "sigma_max of every step: no memory for its state");
    end += snprintf(end, HEAD, "%" PRId64 " %d", sigma->newest_step, sigma->n);
    for (int i = 0; i < sigma->n; i++) {
        const followed *of = &sigma->followed[i];
        double sums[N_SUMS];
        memcpy(sums, &of->sums, sizeof sums);
        end += snprintf(end, HEAD, " %d %d ", of->matrix->rows, of->matrix->cols);
        for (int k = 0; k < N_SUMS; k++) end = ms_exact_put_f64(end, sums[k]);
        *end++ = ' ';
        size_t n = ms_power_directions(of->matrix->rows, of->matrix->cols);
        for (size_t k = 0; k < n; k++) end = ms_exact_put_f32(end, of->directions[k]);
    }
    *end = '\0';
    return MS_OK;
}

/* What follows a matrix; NULL: the text does not have it. */
static const char *read_matrix(const char *text, followed *of) {
    char head[HEAD];
    double sums[N_SUMS];
    size_t length = (size_t)snprintf(head, sizeof head, " %d %d ", of->matrix->rows, of->matrix->cols);
    if (strncmp(text, head, length) != 0) return NULL;
    text += length;
    for (int k = 0; k < N_SUMS && text; k++) {
        text = ms_exact_take_f64(text, &sums[k]);
        if (text && (sums[k] < 0 || isinf(sums[k]))) return NULL;
    }
    if (!text || *text++ != ' ') return NULL;
    size_t n = ms_power_directions(of->matrix->rows, of->matrix->cols);
    for (size_t k = 0; k < n && text; k++) {
        text = ms_exact_take_f32(text, &of->directions[k]);
        if (text && !(fabsf(of->directions[k]) <= 1 + 1e-5f)) return NULL;
    }
    memcpy(&of->sums, sums, sizeof sums);
    return text;
}

ms_status ms_step_sigma_restore(ms_step_sigma *sigma, const char *text) {
    char head[HEAD];
    snprintf(head, sizeof head, "%" PRId64 " %d", sigma->resume_after_step, sigma->n);
    if (strncmp(text, head, strlen(head)) != 0)
        return MS_FAIL(MS_CORRUPT, "checkpoint: sigma_max of every step begins with \"%.40s\", must with \"%s\"", text,
                       head);
    const char *rest = text + strlen(head);
    for (int i = 0; i < sigma->n; i++) {
        rest = read_matrix(rest, &sigma->followed[i]);
        if (!rest)
            return MS_FAIL(MS_CORRUPT, "checkpoint: sigma_max of every step is damaged at %s", sigma->followed[i].name);
    }
    if (*rest != '\0')
        return MS_FAIL(MS_CORRUPT, "checkpoint: sigma_max of every step has more than %d matrices", sigma->n);
    return MS_OK;
}

const ms_run_log_mending *ms_step_sigma_mending(const ms_step_sigma *sigma) {
    return ms_run_log_get_mending(sigma->log);
}

ms_status ms_step_sigma_check_file(const ms_step_sigma *sigma) { return ms_run_log_check(sigma->log); }

static void free_all(ms_step_sigma *sigma) {
    for (int i = 0; i < sigma->n_threads; i++) {
        ms_power_scratch_destroy(sigma->scratch[i].power);
        ms_decompose_scratch_destroy(sigma->scratch[i].decompose);
    }
    ms_pool_destroy(sigma->pool);
    free(sigma->scratch);
    free(sigma->followed);
    ms_tracked_matrices_finish(&sigma->tracked);
    free(sigma->places);
    free(sigma->order);
    free(sigma->kept);
    free(sigma->kept_values);
    free(sigma->memory);
    free(sigma);
}

ms_status ms_step_sigma_close(ms_step_sigma *sigma) {
    if (!sigma) return MS_OK;
    ms_status failed = ms_background_close(sigma->background);
    ms_status closed = ms_run_log_close(sigma->log);
    free_all(sigma);
    return failed == MS_OK ? closed : failed;
}
