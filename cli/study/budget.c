#include "cli/study/budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cli/study/train.h"
#include "platform/clock.h"
#include "platform/directory.h"

/* What one run of an arm takes.  n 0: not known. */
struct cost {
    double seconds, bytes; /* sums over n runs */
    int n;
    bool timed; /* by a few steps */
    ms_config config;
};

/* Whether the key changes what a run takes: rates, seeds, first weights and the like do not. */
static bool costs(const ms_config_key *key) {
    static const char *const sections[] = {"model",      "attention",  "optimizer", "train",
                                           "validation", "checkpoint", "tracker",   "data"};
    if (strcmp(key->full_name, "muon.split") == 0) return true;
    if (strcmp(key->full_name, "train.seed") == 0) return false;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(key->section, sections[i]) == 0) return true;
    return false;
}

static bool costs_the_same(const ms_config *a, const ms_config *b) {
    const ms_config_key *keys[MS_CONFIG_KEYS_MAX];
    int n = ms_config_difference(a, b, keys, MS_CONFIG_KEYS_MAX);
    for (int i = 0; i < n; i++)
        if (costs(keys[i])) return false;
    return true;
}

static double run_seconds(const ms_study_record *record) {
    return isnan(record->wall_seconds) ? record->step_seconds : record->wall_seconds;
}

/* --- a few steps --- */

enum { TIMED_STEPS = 3, TIMED_SNAPSHOTS = 3 };

static int64_t count_snapshots(const ms_config *config) {
    int64_t n_steps = ms_config_steps(config);
    int64_t snapshots = config->tracker.enabled ? 2 + n_steps / config->tracker.every : 0;
    int64_t validations = config->validation.every > 0 ? 2 + n_steps / config->validation.every : 0;
    return snapshots > validations ? snapshots : validations;
}

/* Three steps with snapshots before, after the first and after the last, validations and checkpoints before and after:
   what is no step and no start is put on the snapshots, which is too much rather than too little. */
static ms_status time_run(const ms_config *config, const char *path, int64_t n_threads, struct cost *out) {
    ms_config timed = *config;
    ms_study_outcome outcome;
    ms_study_record record;
    timed.train.tokens = 0;
    timed.train.steps = TIMED_STEPS;
    timed.tracker.every = 1000;
    timed.validation.every = config->validation.every > 0 ? 1000 : 0;
    timed.checkpoint.every = 0;
    timed.sample.tokens = 0;
    MS_TRY(ms_study_train(&timed, path, n_threads, true, &outcome));
    MS_TRY(ms_study_record_read(path, &timed, &record));
    double rest = fmax(0, outcome.seconds - outcome.start_seconds - record.step_seconds);
    double per_snapshot = (double)count_snapshots(config) / TIMED_SNAPSHOTS;
    out->seconds = outcome.start_seconds + record.step_seconds / TIMED_STEPS * (double)ms_config_steps(config) +
                   rest * per_snapshot;
    out->bytes = record.size_bytes * fmax(1, (double)config->checkpoint.keep / 2);
    out->n = 1;
    out->timed = true;
    return MS_OK;
}

static ms_status time_arm(const ms_config *config, int64_t n_threads, struct cost *out) {
    char folder[] = "/tmp/muonscope-study-XXXXXX", path[64];
    if (!mkdtemp(folder)) return MS_FAIL(MS_IO, "study: no temporary folder for a timing");
    snprintf(path, sizeof path, "%s/run", folder);
    return ms_directory_clear_away(time_run(config, path, n_threads, out), folder);
}

/* --- the sum --- */

/* The configuration of an arm for what it costs: a tuned value that is not chosen yet changes nothing there. */
static ms_status cost_config(const ms_study_plan *plan, int i_arm, ms_config *out) {
    const ms_study_arm *arm = &plan->study->arms[i_arm];
    ms_config_request request;
    char seed[24];
    MS_TRY(ms_study_request(plan->study, arm, NULL, arm->seeds.items[0], seed, &request));
    ms_config_defaults(out);
    return ms_config_request_resolve(&request, out, NULL);
}

static void add_finished(const ms_study_plan *plan, struct cost *costs, ms_study_budget *out) {
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_record *record = &plan->runs[i].record;
        struct cost *cost = &costs[plan->runs[i].i_arm];
        out->bytes_used += record->size_bytes;
        out->seconds_spent += run_seconds(record);
        if (record->state != MS_STUDY_FINISHED) continue;
        cost->seconds += run_seconds(record);
        cost->bytes += record->size_bytes;
        cost->n++;
    }
}

/* An arm that costs the same and is known. */
static const struct cost *find_alike(const struct cost *costs, int n, int i_arm) {
    for (int timed = 0; timed < 2; timed++)
        for (int i = 0; i < n; i++)
            if (costs[i].n > 0 && costs[i].timed == timed && costs_the_same(&costs[i].config, &costs[i_arm].config))
                return &costs[i];
    return NULL;
}

static bool is_left(const ms_study_run *run) {
    return run->record.state == MS_STUDY_MISSING || run->record.state == MS_STUDY_UNFINISHED;
}

static ms_status find_costs(const ms_study_plan *plan, int64_t n_threads, struct cost *costs, ms_study_budget *out) {
    bool needed[MS_STUDY_ARMS] = {false};
    for (int i = 0; i < plan->study->n_arms; i++) MS_TRY(cost_config(plan, i, &costs[i].config));
    add_finished(plan, costs, out);
    for (size_t i = 0; i < plan->n; i++) needed[plan->runs[i].i_arm] |= is_left(&plan->runs[i]);
    for (int i = 0; i < plan->study->n_arms; i++) {
        if (!needed[i] || costs[i].n > 0) continue;
        const struct cost *alike = find_alike(costs, plan->study->n_arms, i);
        if (alike) {
            costs[i].seconds = alike->seconds;
            costs[i].bytes = alike->bytes;
            costs[i].n = alike->n;
            costs[i].timed = alike->timed;
            continue;
        }
        if (n_threads < 0) continue;
        ms_status status = time_arm(&costs[i].config, n_threads, &costs[i]);
        if (status == MS_INTERRUPTED || status == MS_OUT_OF_MEMORY) return status;
        if (status != MS_OK) snprintf(out->why, sizeof out->why, "%.*s", MS_STUDY_WHY_SIZE - 1, ms_status_message());
        if (status != MS_OK) return MS_OK;
    }
    for (int i = 0; i < plan->study->n_arms; i++) {
        out->n_measured += needed[i] && !costs[i].timed;
        out->n_timed += needed[i] && costs[i].timed;
    }
    return MS_OK;
}

ms_status ms_study_budget_make(const ms_study_plan *plan, int64_t n_threads, ms_study_budget *out) {
    struct statvfs volume;
    struct cost *costs = calloc(MS_STUDY_ARMS, sizeof *costs);
    *out = (ms_study_budget){.n_runs = plan->n, .bytes_free = NAN};
    if (!costs) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for its budget");
    ms_status status = find_costs(plan, n_threads, costs, out);
    for (size_t i = 0; i < plan->n && status == MS_OK; i++) {
        const ms_study_record *record = &plan->runs[i].record;
        const struct cost *cost = &costs[plan->runs[i].i_arm];
        if (!is_left(&plan->runs[i])) continue;
        double n_steps = record->n_steps > 0 ? (double)record->n_steps : 1;
        out->n_left++;
        out->seconds_left += cost->seconds / cost->n * (1 - (double)record->step / n_steps); /* NaN where n is 0 */
        out->bytes_left += fmax(0, cost->bytes / cost->n - record->size_bytes);
    }
    if (statvfs(plan->folder, &volume) == 0) out->bytes_free = (double)volume.f_bavail * (double)volume.f_frsize;
    free(costs);
    return status;
}

void ms_study_budget_print(const ms_study_budget *budget, FILE *stream) {
    char text[32];
    const double mib = 1048576;
    fprintf(stream, "runs    %zu, %zu to make\n", budget->n_runs, budget->n_left);
    if (budget->n_left == 0) return;
    if (*budget->why) {
        fprintf(stream, "time    not measured: %s\n", budget->why);
        return;
    }
    fprintf(stream, "time    about %s: ", ms_duration_text(budget->seconds_left, text, sizeof text));
    if (budget->n_measured > 0)
        fprintf(stream, "%zu arms by finished runs%s", budget->n_measured, budget->n_timed > 0 ? ", " : "");
    if (budget->n_timed > 0) fprintf(stream, "%zu arms by a timing of %d steps", budget->n_timed, TIMED_STEPS);
    fprintf(stream, "\ndisk    about %.0f MiB, beside %.0f MiB that are used", budget->bytes_left / mib,
            budget->bytes_used / mib);
    if (!isnan(budget->bytes_free)) fprintf(stream, "; %.0f MiB are free", budget->bytes_free / mib);
    fprintf(stream, "\n");
    if (budget->bytes_left > budget->bytes_free) fprintf(stream, "warning: the disk is too small for all runs\n");
}
