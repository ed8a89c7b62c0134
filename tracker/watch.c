#include "tracker/watch.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/median.h"
#include "tracker/run_log.h"

/* ---- what is remembered ---- */

/* The last values of a series, for spikes. */
typedef struct series {
    double values[MS_WATCH_WINDOW]; /* a ring */
    int64_t n;                      /* values so far */
    int64_t n_spikes, last_spike;   /* its step */
} series;

enum { NAME_SIZE = 64 };

/* A matrix, or a layer of the probe. */
typedef struct subject {
    char name[NAME_SIZE];                 /* "layer 3 up", "layer 3" */
    double first_effective, first_stable; /* NaN: not seen yet */
    int64_t first_effective_step, first_stable_step;
    int n_dead; /* snapshots on end */
    bool is_rank_said, is_stable_said, is_dead_said;
} subject;

typedef struct subjects {
    subject *list;
    int n, capacity;
    int next; /* after the last one that was looked for: lines have one order */
} subjects;

struct ms_watch {
    ms_logger *logger;
    bool silent; /* lines of before are seen again */
    int64_t n_steps;
    /* metrics.jsonl */
    series loss, gradient;
    bool is_dead;
    int n_watched; /* of the first steps of this process */
    double watched_loss;
    bool loss_moves, rates_are_0;
    /* spectra.jsonl and probes.jsonl */
    subjects matrices, layers;
};

ms_status ms_watch_create(int64_t n_steps, ms_logger *logger, ms_watch **out) {
    *out = calloc(1, sizeof **out);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory");
    (*out)->n_steps = n_steps;
    (*out)->logger = logger;
    return MS_OK;
}

void ms_watch_destroy(ms_watch *watch) {
    if (!watch) return;
    free(watch->matrices.list);
    free(watch->layers.list);
    free(watch);
}

static void warn(const ms_watch *watch, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(const ms_watch *watch, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!watch->silent) ms_logger_write(watch->logger, MS_LOG_WARNING, "%s", text);
}

/* NaN where the key is null or missing. */
static double number(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static long long step_of(const json_t *line) { return (long long)json_integer_value(json_object_get(line, "step")); }

/* ---- steps ---- */

typedef struct spike_rule {
    const char *what;
    double ratio;
} spike_rule;

static void look_for_spike(const ms_watch *watch, const spike_rule *rule, long long step, double value, series *of) {
    double sorted[MS_WATCH_WINDOW];
    if (!isfinite(value)) return;
    if (of->n >= MS_WATCH_WINDOW) {
        memcpy(sorted, of->values, sizeof sorted);
        double median = ms_median(sorted, MS_WATCH_WINDOW);
        for (int i = 0; i < MS_WATCH_WINDOW; i++) sorted[i] = fabs(of->values[i] - median);
        double deviation = ms_median(sorted, MS_WATCH_WINDOW);
        if (value > median + MS_WATCH_DEVIATIONS * deviation && value > rule->ratio * median && median > 0) {
            if (of->n_spikes++ == 0)
                warn(watch, "step %lld: the %s spikes: %.4g, the median of the last %d steps is %.4g", step, rule->what,
                     value, MS_WATCH_WINDOW, median);
            of->last_spike = step;
        }
    }
    of->values[of->n++ % MS_WATCH_WINDOW] = value;
}

/* Says, once each, that a run learns nothing: of the first steps of each process. */
static void look_at_the_first(ms_watch *watch, const json_t *line) {
    enum { ENOUGH = 10, FEW = 3 };
    double loss = number(line, "loss"); /* NaN: there is none under train.control noise */
    if (watch->silent || watch->n_watched == ENOUGH) return;
    if (watch->n_watched++ == 0) {
        watch->watched_loss = loss;
        watch->rates_are_0 = true;
    }
    watch->loss_moves |= !(fabs(loss - watch->watched_loss) <= 1e-6 * fabs(watch->watched_loss));
    watch->rates_are_0 &= number(line, "lr") == 0 && number(line, "adamw_lr") == 0;
    bool last = step_of(line) == watch->n_steps && watch->n_watched >= FEW;
    if (watch->n_watched < ENOUGH && !last) return;
    if (!watch->loss_moves) warn(watch, "the loss has not moved from %.6f in %d steps", loss, watch->n_watched);
    if (watch->rates_are_0)
        warn(watch, "the learning rates were 0 in %d steps: no weight has changed", watch->n_watched);
    watch->n_watched = ENOUGH;
}

static void look_at_step(ms_watch *watch, const json_t *line) {
    static const spike_rule loss = {"loss", MS_WATCH_LOSS_RATIO}, norm = {"gradient norm", MS_WATCH_GRADIENT_RATIO};
    double gradient = number(line, "grad_norm");
    long long step = step_of(line);
    if (!json_object_get(line, "grad_norm")) return; /* a validation */
    if (gradient == 0 && !watch->is_dead) {
        watch->is_dead = true;
        warn(watch, "step %lld: the gradient of every weight is 0: nothing is learned%s", step,
             step == 1 ? " (initial weights of 0?)" : " any more");
    }
    look_for_spike(watch, &loss, step, number(line, "loss"), &watch->loss);
    look_for_spike(watch, &norm, step, gradient, &watch->gradient);
    look_at_the_first(watch, line);
}

/* ---- snapshots ---- */

/* Those that one line warns of: the first few by name. */
typedef struct finding {
    char names[512];
    size_t used;
    int n;
} finding;

static void find(finding *of, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void find(finding *of, const char *format, ...) {
    enum { MOST_NAMED = 4 };
    va_list arguments;
    if (of->n++ >= MOST_NAMED) {
        if (of->n == MOST_NAMED + 1) of->used += (size_t)snprintf(of->names + of->used, 8, ", ...");
        return;
    }
    if (of->n > 1) of->used += (size_t)snprintf(of->names + of->used, 3, ", ");
    va_start(arguments, format);
    of->used += (size_t)vsnprintf(of->names + of->used, 120, format, arguments); /* a name and numbers */
    va_end(arguments);
}

static subject *subject_of(subjects *all, const json_t *line) {
    char name[NAME_SIZE];
    const char *projection = json_string_value(json_object_get(line, "projection"));
    snprintf(name, sizeof name, "layer %lld%s%.32s", (long long)json_integer_value(json_object_get(line, "layer")),
             projection ? " " : "", projection ? projection : "");
    for (int k = 0; k < all->n; k++) {
        int i = (all->next + k) % all->n;
        if (strcmp(all->list[i].name, name) != 0) continue;
        all->next = i + 1;
        return &all->list[i];
    }
    if (all->n == all->capacity) {
        int capacity = all->capacity ? 2 * all->capacity : 64;
        subject *larger = realloc(all->list, (size_t)capacity * sizeof *larger);
        if (!larger) return NULL;
        all->list = larger;
        all->capacity = capacity;
    }
    subject *new = &all->list[all->n++];
    *new = (subject){.first_effective = NAN, .first_stable = NAN};
    strcpy(new->name, name);
    return new;
}

static void look_at_ranks(const json_t *line, subject *of, finding *ranks, finding *stable_ranks) {
    double effective = number(line, "effective_rank"), stable = number(line, "stable_rank");
    if (isnan(of->first_effective)) {
        of->first_effective = effective;
        of->first_effective_step = step_of(line);
    }
    if (isnan(of->first_stable)) {
        of->first_stable = stable;
        of->first_stable_step = step_of(line);
    }
    if (!of->is_rank_said && effective < MS_WATCH_RANK_SHARE * of->first_effective) {
        of->is_rank_said = true;
        find(ranks, "%s (%.3g, was %.3g at step %lld)", of->name, effective, of->first_effective,
             (long long)of->first_effective_step);
    }
    if (!of->is_stable_said && stable < MS_WATCH_STABLE_RANK && stable < MS_WATCH_RANK_SHARE * of->first_stable) {
        of->is_stable_said = true;
        find(stable_ranks, "%s (%.3g, was %.3g at step %lld)", of->name, stable, of->first_stable,
             (long long)of->first_stable_step);
    }
}

/* Of what the lines have under the key; NaN: nothing. */
static ms_status median_of(const json_t *lines, const char *key, double *out) {
    size_t n = json_array_size(lines);
    double *values = malloc(sizeof *values * (n + 1));
    int n_known = 0;
    if (!values) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for %zu matrices", n);
    for (size_t i = 0; i < n; i++) {
        double value = number(json_array_get(lines, i), key);
        if (!isnan(value)) values[n_known++] = value;
    }
    *out = n_known ? ms_median(values, n_known) : NAN;
    free(values);
    return MS_OK;
}

/* One more snapshot of a subject; whether it is to be said now. */
static bool dies(subject *of, bool is_dead) {
    of->n_dead = is_dead ? of->n_dead + 1 : 0;
    if (of->is_dead_said || of->n_dead < MS_WATCH_DEAD_SNAPSHOTS) return false;
    return of->is_dead_said = true;
}

static ms_status look_at_matrices(ms_watch *watch, const json_t *lines) {
    finding ranks = {"", 0, 0}, stable_ranks = {"", 0, 0}, dead = {"", 0, 0};
    double gradient, update;
    long long step = step_of(json_array_get(lines, 0));
    MS_TRY(median_of(lines, "grad_norm_max", &gradient));
    MS_TRY(median_of(lines, "update_norm_max", &update));
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        subject *of = subject_of(&watch->matrices, line);
        if (!of) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for %zu matrices", json_array_size(lines));
        look_at_ranks(line, of, &ranks, &stable_ranks);
        double own_gradient = number(line, "grad_norm_max"), own_update = number(line, "update_norm_max");
        /* Where all are 0, that is said of the run. */
        bool no_gradient = gradient > 0 && own_gradient < MS_WATCH_DEAD_SHARE * gradient;
        bool no_update = update > 0 && own_update < MS_WATCH_DEAD_SHARE * update;
        if (dies(of, no_gradient || no_update))
            find(&dead, "%s (%s at most %.3g, median of all %.3g)", of->name, no_gradient ? "gradient" : "update",
                 no_gradient ? own_gradient : own_update, no_gradient ? gradient : update);
    }
    if (ranks.n > 0)
        warn(watch, "step %lld: the effective rank of %d matri%s has fallen below a quarter of what it was: %s", step,
             ranks.n, ranks.n == 1 ? "x" : "ces", ranks.names);
    if (stable_ranks.n > 0)
        warn(watch, "step %lld: one direction has most of %d matri%s, the stable rank is below %g: %s", step,
             stable_ranks.n, stable_ranks.n == 1 ? "x" : "ces", MS_WATCH_STABLE_RANK, stable_ranks.names);
    if (dead.n > 0)
        warn(watch, "step %lld: %d matri%s no longer learned, in %d snapshots: %s", step, dead.n,
             dead.n == 1 ? "x is" : "ces are", MS_WATCH_DEAD_SNAPSHOTS, dead.names);
    return MS_OK;
}

/* Weights of 0 before the first step are a way to begin. */
static ms_status look_at_activations(ms_watch *watch, const json_t *lines) {
    finding dead = {"", 0, 0};
    long long step = step_of(json_array_get(lines, 0));
    for (size_t i = 0; i < json_array_size(lines) && step > 0; i++) {
        const json_t *line = json_array_get(lines, i);
        subject *of = subject_of(&watch->layers, line);
        if (!of) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for %zu layers", json_array_size(lines));
        if (dies(of, number(line, "feed_forward_rms") == 0)) find(&dead, "%s", of->name);
    }
    if (dead.n > 0)
        warn(watch, "step %lld: every hidden activation of %d feed-forward part%s is 0, in %d snapshots: %s", step,
             dead.n, dead.n == 1 ? "" : "s", MS_WATCH_DEAD_SNAPSHOTS, dead.names);
    return MS_OK;
}

/* ---- lines ---- */

ms_status ms_watch_lines(ms_watch *watch, ms_watched_file file, const json_t *lines) {
    if (json_array_size(lines) == 0) return MS_OK;
    switch (file) {
    case MS_WATCH_METRICS:
        for (size_t i = 0; i < json_array_size(lines); i++) look_at_step(watch, json_array_get(lines, i));
        return MS_OK;
    case MS_WATCH_SPECTRA:
        return look_at_matrices(watch, lines);
    case MS_WATCH_PROBES:
        return look_at_activations(watch, lines);
    }
    return MS_FAIL(MS_INVALID, "watch: no file %d", (int)file);
}

/* Lines are collected until the step changes: a snapshot. */
typedef struct snapshot_reading {
    ms_watch *watch;
    ms_watched_file file;
    json_t *lines;
} snapshot_reading;

static ms_status see(snapshot_reading *reading) {
    ms_status status = ms_watch_lines(reading->watch, reading->file, reading->lines);
    json_array_clear(reading->lines);
    return status;
}

static ms_status see_line(void *context, json_t *line) {
    snapshot_reading *reading = context;
    const json_t *first = json_array_get(reading->lines, 0);
    if (first && step_of(first) != step_of(line)) MS_TRY(see(reading));
    if (json_array_append(reading->lines, line) != 0) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a line");
    return MS_OK;
}

ms_status ms_watch_replay(ms_watch *watch, ms_watched_file file, const char *path) {
    snapshot_reading reading = {watch, file, json_array()};
    if (!reading.lines) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory");
    watch->silent = true;
    ms_status status = ms_run_log_visit(path, see_line, &reading);
    if (status == MS_OK) status = see(&reading);
    watch->silent = false;
    json_decref(reading.lines);
    return status;
}

static void tell_spikes(const ms_watch *watch, const char *what, const series *of) {
    if (of->n_spikes > 1)
        ms_logger_write(watch->logger, MS_LOG_INFO, "the %s spiked in %lld steps, the last time at step %lld", what,
                        (long long)of->n_spikes, (long long)of->last_spike);
}

void ms_watch_end(const ms_watch *watch) {
    tell_spikes(watch, "loss", &watch->loss);
    tell_spikes(watch, "gradient norm", &watch->gradient);
}
