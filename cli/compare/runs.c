#include "cli/compare/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_sidecar.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "train/settings.h"

/* --- one run --- */

ms_status ms_compare_data_hash(const char *folder, char out[65]) {
    ms_sidecar sidecar;
    out[0] = '\0';
    ms_status status = ms_sidecar_read(folder, &sidecar);
    if (status == MS_OUT_OF_MEMORY) return status;
    if (status != MS_OK) return MS_OK;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (int k = 0; stream && k < MS_N_SPLITS; k++) {
        fprintf(stream, "%s:", ms_split_name(k));
        for (size_t i = 0; i < sidecar.splits[k].n_shards; i++)
            fprintf(stream, " %s", sidecar.splits[k].shards[i].sha256);
    }
    bool complete = stream && fclose(stream) == 0;
    status = complete ? ms_sha256_bytes(text, size, out) : MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for hashes");
    free(text);
    ms_sidecar_finish(&sidecar);
    return status;
}

static ms_status load_config(ms_compare_run *run) {
    char *path = ms_path_join(run->path, "config.yaml");
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a path");
    ms_status status = MS_OK;
    if (!ms_is_directory(run->path))
        status = MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", run->path);
    else if (!ms_file_exists(path))
        status = MS_FAIL(MS_NOT_FOUND, "%s is not a run folder: it has no config.yaml", run->path);
    ms_config_defaults(&run->config);
    if (status == MS_OK) status = ms_settings_note_fault(ms_config_load_file(&run->config, path, &run->given), path);
    run->n_steps = ms_config_steps(&run->config);
    free(path);
    return status;
}

/* What is read beside the metrics: where each loss is reached, and how far the run went. */
enum { N_HIDDEN = 2 };

static ms_status read_series(const ms_compare_request *request, const ms_compare_run *run, ms_compared_run *out,
                             ms_notes *notes) {
    ms_series_metric metrics[MS_COMPARE_METRICS + N_HIDDEN];
    size_t n = request->n_metrics;
    memcpy(metrics, request->metrics, n * sizeof *metrics);
    MS_TRY(ms_series_metric_find("loss", &metrics[n]));
    MS_TRY(ms_series_metric_find("lr", &metrics[n + 1]));
    ms_run_line_faults faults;
    MS_TRY(ms_series_read(run->path, metrics, n + N_HIDDEN, &request->selection, out->series, &faults));
    const ms_series *steps = &out->series[n + 1];
    if (steps->n == 0) return MS_FAIL(MS_NOT_FOUND, "its metrics.jsonl has no line of a step");
    out->last_step = steps->points[steps->n - 1].step;
    out->last_tokens = steps->points[steps->n - 1].tokens;
    out->loss = out->series[n];
    out->series[n] = (ms_series){0};
    if (faults.n_bad == 0) return MS_OK;
    return ms_notes_add(notes, "%s: %lld lines are cut, repeated or out of order, and not used (the first: %s)",
                        run->path, (long long)faults.n_bad, faults.first_bad);
}

static void finish_run(ms_compared_run *run, size_t n_series) {
    for (size_t i = 0; run->series && i < n_series; i++) ms_series_finish(&run->series[i]);
    free(run->series);
    ms_series_finish(&run->loss);
    *run = (ms_compared_run){0};
}

static ms_status load_run(const ms_compare_request *request, ms_compare_run *run, ms_compared_run *out,
                          ms_notes *notes) {
    MS_TRY(load_config(run));
    MS_TRY(ms_compare_data_hash(run->path, run->data_sha256));
    out->seed = run->config.train.seed;
    out->series = calloc(request->n_metrics + N_HIDDEN, sizeof *out->series);
    if (!out->series) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu metrics", request->n_metrics);
    MS_TRY_NOTE(read_series(request, run, out, notes), "%s", run->path);
    out->finished = out->last_step >= run->n_steps;
    return MS_OK;
}

static ms_status leave_out(ms_compare_set *set, const char *why) {
    if (set->n_left_out++ == 0) snprintf(set->first_left_out, sizeof set->first_left_out, "%s", why);
    return ms_notes_add(&set->notes, "left out: %s", why);
}

static ms_status load_runs(const ms_compare_request *request, ms_compare_set *set) {
    for (int i = 0; i < request->n_paths; i++) {
        set->runs[set->n] =
            (ms_compare_run){.path = request->paths[i], .group = request->groups ? request->groups[i] : NULL};
        ms_status status = load_run(request, &set->runs[set->n], &set->compared[set->n], &set->notes);
        if (status == MS_OK) {
            set->n++;
            continue;
        }
        finish_run(&set->compared[set->n], set->n_series);
        if (status == MS_OUT_OF_MEMORY || status == MS_USAGE) return status;
        MS_TRY(leave_out(set, ms_status_message()));
    }
    return set->n > 0 ? MS_OK : MS_FAIL(MS_NOT_FOUND, "no run to compare: %s", set->first_left_out);
}

/* --- groups --- */

void ms_compare_join_keys(const ms_config_key *const *keys, int n, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; i < n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? ", " : "", keys[i]->full_name);
}

static ms_status choose_keys(const ms_compare_request *request, ms_compare_set *set) {
    memcpy(set->by, request->by, sizeof set->by);
    set->n_by = request->n_by;
    if (set->n_by > 0 || request->groups) return MS_OK;
    int n = ms_compare_unlike_keys(set, set->by, MS_COMPARE_KEYS);
    if (n <= 1) {
        set->n_by = n;
        return n == 0 ? MS_OK
                      : ms_notes_add(&set->notes, "grouped by %s, the only key that differs", set->by[0]->full_name);
    }
    char names[512] = "";
    ms_compare_join_keys(set->by, n < MS_COMPARE_KEYS ? n : MS_COMPARE_KEYS, names, sizeof names);
    return MS_FAIL(MS_USAGE, "the runs differ in %d keys (%s%s): name those that make the groups with --by KEY", n,
                   names, n > MS_COMPARE_KEYS ? ", ..." : "");
}

static void make_label(const ms_compare_set *set, const ms_compare_run *run, char out[MS_COMPARE_LABEL_SIZE]) {
    size_t used = 0;
    out[0] = '\0';
    for (int k = 0; k < set->n_by && used < MS_COMPARE_LABEL_SIZE; k++) {
        char value[MS_CONFIG_STRING_SIZE];
        used += (size_t)snprintf(out + used, MS_COMPARE_LABEL_SIZE - used, "%s%s", k ? ", " : "",
                                 ms_compare_value_text(run, set->by[k], value, sizeof value));
    }
    if (set->n_by == 0) strcpy(out, "all");
}

static int group_of(ms_compare_set *set, const ms_compare_run *run) {
    char label[MS_COMPARE_LABEL_SIZE];
    if (run->group)
        snprintf(label, sizeof label, "%s", run->group);
    else
        make_label(set, run, label);
    for (int g = 0; g < set->n_groups; g++)
        if (strcmp(set->labels[g], label) == 0) return g;
    strcpy(set->labels[set->n_groups], label);
    return set->n_groups++;
}

/* Why a run is not used whose seed its group has already: what it differs in. */
static ms_status leave_out_twin(ms_compare_set *set, const ms_compare_run *kept, const ms_compare_run *twin,
                                const char *label) {
    const ms_config_key *keys[4];
    char text[900], names[300] = "";
    int n_keys, n = 0;
    const ms_config_key *all = ms_config_keys(&n_keys);
    for (int i = 0; i < n_keys; i++) {
        if (!ms_compare_is_unlike(kept, twin, &all[i])) continue;
        if (n < 4) keys[n] = &all[i];
        n++;
    }
    ms_compare_join_keys(keys, n < 4 ? n : 4, names, sizeof names);
    if (n == 0)
        snprintf(text, sizeof text, "%s: seed %lld of group %s is %s already, and no key differs", twin->path,
                 (long long)twin->config.train.seed, label, kept->path);
    else
        snprintf(text, sizeof text, "%s: seed %lld of group %s is %s already; they differ in %s%s: --by may name it",
                 twin->path, (long long)twin->config.train.seed, label, kept->path, names, n > 4 ? ", ..." : "");
    MS_TRY(ms_compare_add_pair(set, kept->path, twin->path, kept->config.train.seed));
    return leave_out(set, text);
}

/* Puts each run into its group; of two with one seed the first stays. */
static ms_status make_groups(ms_compare_set *set) {
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        int group = group_of(set, &set->runs[i]);
        size_t twin = 0;
        while (twin < n && (set->compared[twin].i_group != group || set->compared[twin].seed != set->compared[i].seed))
            twin++;
        set->compared[i].i_group = group;
        if (twin < n) {
            ms_status status = leave_out_twin(set, &set->runs[twin], &set->runs[i], set->labels[group]);
            finish_run(&set->compared[i], set->n_series);
            MS_TRY(status);
            continue;
        }
        ms_compared_run compared = set->compared[i];
        set->compared[i] = (ms_compared_run){0};
        set->compared[n] = compared;
        set->runs[n++] = set->runs[i];
    }
    set->n = n;
    return MS_OK;
}

static ms_status choose_baseline(const char *label, ms_compare_set *set) {
    char known[600] = "";
    for (int g = 0; g < set->n_groups; g++) {
        if (!label || strcmp(set->labels[g], label) == 0) {
            set->i_baseline = g;
            return MS_OK;
        }
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", g ? "; " : "", set->labels[g]);
    }
    return MS_FAIL(MS_USAGE, "--baseline '%s' is none of the groups: %s", label, known);
}

/* --- smoothing --- */

/* Values of single steps are noisy: their trailing means are compared. */
static bool is_of_steps(const ms_series_metric *metric) {
    return strcmp(metric->file, "metrics.jsonl") == 0 && metric->entry < 0 &&
           strncmp(metric->key, "validation", 10) != 0;
}

static ms_status smooth(double share, ms_compare_set *set) {
    ms_compared_runs runs = ms_compare_set_runs(set);
    set->smoothing_tokens = share * ms_comparison_place(&runs, MS_AT_TOKENS);
    for (size_t i = 0; i < set->n; i++) {
        MS_TRY(ms_series_smooth(&set->compared[i].loss, set->smoothing_tokens));
        for (size_t k = 0; k < set->n_metrics; k++)
            if (is_of_steps(&set->metrics[k]))
                MS_TRY(ms_series_smooth(&set->compared[i].series[k], set->smoothing_tokens));
    }
    return MS_OK;
}

/* --- the set --- */

static ms_status make(const ms_compare_request *request, ms_compare_set *set) {
    size_t n = (size_t)request->n_paths;
    memcpy(set->metrics, request->metrics, sizeof set->metrics);
    set->n_metrics = request->n_metrics;
    set->n_series = request->n_metrics + N_HIDDEN;
    set->runs = calloc(n + 1, sizeof *set->runs);
    set->compared = calloc(n + 1, sizeof *set->compared);
    set->labels = calloc(n + 1, sizeof *set->labels);
    if (!set->runs || !set->compared || !set->labels)
        return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu runs", n);
    MS_TRY(load_runs(request, set));
    MS_TRY(choose_keys(request, set));
    MS_TRY(make_groups(set));
    MS_TRY(choose_baseline(request->baseline, set));
    MS_TRY(smooth(request->smoothing, set));
    MS_TRY(ms_compare_note_differences(set));
    MS_TRY(ms_compare_note_evidence(set, request->default_metrics));
    return ms_compare_find_partings(set);
}

ms_status ms_compare_set_init(const ms_compare_request *request, ms_compare_set *out) {
    *out = (ms_compare_set){0};
    ms_status status = make(request, out);
    if (status != MS_OK) ms_compare_set_finish(out);
    return status;
}

void ms_compare_set_finish(ms_compare_set *set) {
    for (size_t i = 0; set->compared && i < set->n; i++) finish_run(&set->compared[i], set->n_series);
    free(set->runs);
    free(set->compared);
    free(set->labels);
    free(set->pairs);
    ms_notes_finish(&set->notes);
    *set = (ms_compare_set){0};
}

ms_compared_runs ms_compare_set_runs(const ms_compare_set *set) {
    return (ms_compared_runs){set->compared, set->n, set->metrics, set->n_metrics, set->n_groups, set->i_baseline};
}
