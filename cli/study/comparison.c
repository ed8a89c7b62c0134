#include "cli/study/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare/print.h"
#include "platform/file.h"

/* The runs that are compared; the paths are owned. */
struct selected {
    char **paths;
    const char **groups;
    int n;
};

static ms_status select_runs(const ms_study_plan *plan, bool with_controls, struct selected *out) {
    *out = (struct selected){calloc(plan->n + 1, sizeof *out->paths), calloc(plan->n + 1, sizeof *out->groups), 0};
    if (!out->paths || !out->groups) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %zu runs", plan->n);
    for (int i = 0; i < plan->study->n_arms; i++)
        for (size_t k = 0; k < plan->n; k++) {
            const ms_study_run *run = &plan->runs[k];
            char path[MS_STUDY_PATH_SIZE];
            if (run->i_arm != i || run->i_tuning >= 0 || run->record.state != MS_STUDY_FINISHED) continue;
            if (plan->study->arms[i].control && !with_controls) continue;
            out->groups[out->n] = plan->study->arms[i].name;
            out->paths[out->n] = strdup(ms_study_run_path(plan, run, path));
            if (!out->paths[out->n++]) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
        }
    return MS_OK;
}

static void free_selected(struct selected *selected) {
    for (int i = 0; selected->paths && i < selected->n; i++) free(selected->paths[i]);
    free(selected->paths);
    free(selected->groups);
}

/* Keys that arms set, or are tuned in: what may differ between the groups. */
static void add_keys(const ms_study *study, ms_compare_request *request) {
    for (int i = 0; i < study->n_arms; i++)
        for (int k = 0; k <= study->arms[i].settings.n; k++) {
            const ms_study_arm *arm = &study->arms[i];
            const ms_config_key *key = k < arm->settings.n  ? arm->settings.items[k].key
                                       : arm->i_tuning >= 0 ? study->tunings[arm->i_tuning].key
                                                            : NULL;
            int at = 0;
            while (at < request->n_by && request->by[at] != key) at++;
            if (key && at == request->n_by && at < MS_COMPARE_KEYS) request->by[request->n_by++] = key;
        }
}

static ms_status make_request(const ms_study_plan *plan, const struct selected *selected, ms_compare_request *out) {
    static const char *const metrics[] = {"validation_loss", "loss", "sigma_max", "spectral_entropy"};
    const ms_study *study = plan->study;
    *out = (ms_compare_request){.paths = selected->paths,
                                .n_paths = selected->n,
                                .groups = selected->groups,
                                .default_metrics = true,
                                .smoothing = 0.05};
    add_keys(study, out);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        MS_TRY(ms_series_metric_find(metrics[i], &out->metrics[out->n_metrics++]));
    for (int i = 0; study->i_against >= 0 && i < selected->n; i++) /* one without a finished run is no baseline */
        if (strcmp(selected->groups[i], study->arms[study->i_against].name) == 0) out->baseline = selected->groups[i];
    return MS_OK;
}

/* The files, open. */
struct files {
    ms_writer text, csv;
};

static ms_status print_set(ms_compare_set *set, ms_comparison_at at, struct files *files) {
    ms_comparison comparison;
    ms_compared_runs runs = ms_compare_set_runs(set);
    double place = ms_comparison_place(&runs, at);
    ms_compare_result result = {set, &comparison, 1, 0.95};
    if (isnan(place)) return MS_OK;
    MS_TRY(ms_compare_note_reach(set, at, place));
    MS_TRY(ms_comparison_init(&runs, at, place, result.confidence, &comparison));
    ms_status status = ms_compare_print_text(&result, files->text.stream);
    if (status == MS_OK && at == MS_AT_STEP) status = ms_compare_print_csv(&result, files->csv.stream);
    ms_comparison_finish(&comparison);
    return status;
}

static ms_status compare(const ms_study_plan *plan, ms_comparison_at at, struct files *files) {
    struct selected selected;
    ms_compare_request request;
    ms_compare_set set;
    ms_status status = select_runs(plan, at == MS_AT_STEP, &selected);
    if (status == MS_OK) status = make_request(plan, &selected, &request);
    if (status == MS_OK && selected.n > 0) {
        status = ms_compare_set_init(&request, &set);
        if (status == MS_OK) {
            status = print_set(&set, at, files);
            fprintf(files->text.stream, "\n");
            ms_compare_set_finish(&set);
        }
    }
    free_selected(&selected);
    return status;
}

static ms_status open_file(const ms_study_plan *plan, const char *name, ms_writer *out) {
    char *path = ms_path_join(plan->folder, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
    ms_status status = ms_writer_open(path, out);
    free(path);
    return status;
}

ms_status ms_study_compare(const ms_study_plan *plan) {
    struct files files;
    memset(&files, 0, sizeof files);
    ms_status status = open_file(plan, "comparison.txt", &files.text);
    if (status == MS_OK) status = open_file(plan, "comparison.csv", &files.csv);
    if (status == MS_OK) status = compare(plan, MS_AT_STEP, &files);
    if (status == MS_OK) status = compare(plan, MS_AT_LOSS, &files);
    if (status == MS_OK) status = ms_writer_commit(&files.text);
    if (status == MS_OK) status = ms_writer_commit(&files.csv);
    ms_writer_abort(&files.text);
    ms_writer_abort(&files.csv);
    return status;
}
