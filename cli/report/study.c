#include "cli/report/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/columns.h"
#include "cli/report/notes.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "tracker/compare/series.h"
#include "tracker/metrics.h"
#include "tracker/run_log.h"

static const char what[] = "the report's data";

static const char *const names[] = {"validation_loss",  "loss",        "sigma_max",         "alignment_momentum_left",
                                    "spectral_entropy", "stable_rank", "attention_entropy", "residual_rms"};
enum { N_METRICS = sizeof names / sizeof *names, MOST_POINTS = 400 };

/* --- an arm's curve --- */

struct point {
    int64_t step;
    double sum, low, high;
    int n;
};

struct curve {
    struct point *points; /* [n] ascending by step */
    size_t n, capacity;
};

/* The place of a step, which is added where it is new. */
static ms_status find_point(struct curve *curve, int64_t step, size_t from, size_t *out) {
    size_t at = from;
    while (at < curve->n && curve->points[at].step < step) at++;
    *out = at;
    if (at < curve->n && curve->points[at].step == step) return MS_OK;
    if (curve->n == curve->capacity) {
        size_t capacity = curve->capacity ? 2 * curve->capacity : 256;
        struct point *larger = realloc(curve->points, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu points", capacity);
        curve->points = larger;
        curve->capacity = capacity;
    }
    memmove(&curve->points[at + 1], &curve->points[at], (curve->n - at) * sizeof *curve->points);
    curve->points[at] = (struct point){step, 0, INFINITY, -INFINITY, 0};
    curve->n++;
    return MS_OK;
}

static ms_status add_series(struct curve *curve, const ms_series *series) {
    size_t at = 0;
    for (size_t i = 0; i < series->n; i++) {
        MS_TRY(find_point(curve, series->points[i].step, at, &at));
        struct point *point = &curve->points[at];
        point->sum += series->points[i].value;
        point->low = fmin(point->low, series->points[i].value);
        point->high = fmax(point->high, series->points[i].value);
        point->n++;
    }
    return MS_OK;
}

static ms_status append_real(json_t *object, const char *key, double value) {
    return ms_json_append(json_object_get(object, key), what, ms_run_log_real(value));
}

static ms_status add_curve(const struct curve *curve, const char *arm, json_t *arms) {
    json_t *object;
    size_t *chosen, n;
    MS_TRY(ms_json_pack(&object, what, "{s:[], s:[], s:[], s:[], s:[]}", "step", "mean", "low", "high", "n"));
    MS_TRY(ms_json_set(arms, what, arm, object));
    MS_TRY(ms_report_choose(curve->n, MOST_POINTS, &chosen, &n));
    ms_status status = MS_OK;
    for (size_t i = 0; i < n && status == MS_OK; i++) {
        const struct point *point = &curve->points[chosen[i]];
        status = ms_json_append(json_object_get(object, "step"), what, json_integer((json_int_t)point->step));
        if (status == MS_OK) status = ms_json_append(json_object_get(object, "n"), what, json_integer(point->n));
        if (status == MS_OK) status = append_real(object, "mean", point->sum / point->n);
        if (status == MS_OK) status = append_real(object, "low", point->low);
        if (status == MS_OK) status = append_real(object, "high", point->high);
    }
    free(chosen);
    return status;
}

/* --- the runs --- */

typedef struct reading {
    const char *folder;
    ms_series_metric metrics[N_METRICS];
    json_t *curves, *notes; /* borrowed */
} reading;

static ms_status read_run(const reading *at, const char *name, struct curve curves[N_METRICS]) {
    static const ms_series_selection all = {NULL, NULL};
    ms_series series[N_METRICS] = {{0}};
    ms_run_line_faults faults = {0};
    char *path = ms_path_join(at->folder, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a path");
    ms_status status = ms_series_read(path, at->metrics, N_METRICS, &all, series, &faults);
    free(path);
    if (status != MS_OK && status != MS_OUT_OF_MEMORY)
        return ms_report_note(at->notes, "%s is not in the curves: %s", name, ms_status_message());
    for (size_t k = 0; k < N_METRICS && status == MS_OK; k++) status = add_series(&curves[k], &series[k]);
    for (size_t k = 0; k < N_METRICS; k++) ms_series_finish(&series[k]);
    if (status == MS_OK && faults.n_bad > 0)
        status = ms_report_note(at->notes, "%s: %lld lines are left out, the first: %s", name, (long long)faults.n_bad,
                                faults.first_bad);
    return status;
}

/* Its runs by name: a plan that names anything but a folder in the study's own is passed over. */
static ms_status read_arm(const reading *at, const char *arm, const json_t *plan) {
    struct curve curves[N_METRICS] = {{0}};
    ms_status status = MS_OK;
    json_t *run;
    size_t i;
    json_array_foreach(plan, i, run) {
        const char *of = json_string_value(json_object_get(run, "arm"));
        const char *kind = json_string_value(json_object_get(run, "kind"));
        const char *name = json_string_value(json_object_get(run, "run"));
        if (!of || !kind || !name || strcmp(of, arm) != 0 || strcmp(kind, "arm") != 0 || !ms_is_plain_name(name))
            continue;
        if (status == MS_OK) status = read_run(at, name, curves);
    }
    for (size_t k = 0; k < N_METRICS && status == MS_OK; k++)
        if (curves[k].n > 0)
            status = add_curve(&curves[k], arm, json_object_get(json_object_get(at->curves, names[k]), "arms"));
    for (size_t k = 0; k < N_METRICS; k++) free(curves[k].points);
    return status;
}

/* Of the key of a metric. */
static ms_status begin_metric(reading *at, size_t k) {
    size_t n_files;
    const ms_metric_file *files = ms_metric_files(&n_files);
    json_t *object;
    MS_TRY(ms_series_metric_find(names[k], &at->metrics[k]));
    const char *unit = "", *text = "";
    for (size_t f = 0; f < n_files; f++)
        for (size_t i = 0; i < files[f].n_keys && strcmp(files[f].name, at->metrics[k].file) == 0; i++)
            if (strcmp(files[f].keys[i].key, at->metrics[k].key) == 0) {
                unit = files[f].keys[i].unit;
                text = files[f].keys[i].text;
            }
    MS_TRY(ms_json_pack(&object, what, "{s:s, s:s, s:{}}", "unit", unit, "text", text, "arms"));
    return ms_json_set(at->curves, what, names[k], object);
}

/* --- results.json --- */

static ms_status read_results(const char *folder, json_t **out) {
    char *path = ms_path_join(folder, "results.json"), *text = NULL;
    size_t size_bytes = 0;
    json_error_t error;
    *out = NULL;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a path");
    ms_status status = ms_file_read(path, &text, &size_bytes);
    if (status == MS_OK) {
        *out = json_loadb(text, size_bytes, 0, &error);
        if (!*out) status = MS_FAIL(MS_CORRUPT, "%s line %d: %s", path, error.line, error.text);
    }
    const char *format = json_string_value(json_object_get(*out, "format"));
    if (status == MS_OK && (!format || strcmp(format, "muonscope-study") != 0 ||
                            json_integer_value(json_object_get(*out, "version")) != 1)) {
        json_decref(*out);
        *out = NULL;
        status = MS_FAIL(MS_CORRUPT, "%s: its \"format\" and \"version\" are not muonscope-study and 1", path);
    }
    free(text);
    free(path);
    return status;
}

ms_status ms_report_add_study(const char *folder, json_t *data) {
    json_t *results, *arm;
    size_t i;
    reading at = {.folder = folder, .curves = json_object(), .notes = json_array()};
    ms_status status = ms_json_set(data, what, "curves", at.curves);
    if (status != MS_OK) {
        json_decref(at.notes);
        return status;
    }
    MS_TRY(ms_json_set(data, what, "notes", at.notes));
    MS_TRY(read_results(folder, &results));
    MS_TRY(ms_json_set(data, what, "results", results));
    MS_TRY(ms_study_add_findings(results, data));
    for (size_t k = 0; k < N_METRICS; k++) MS_TRY(begin_metric(&at, k));
    json_array_foreach(json_object_get(results, "arms"), i, arm) {
        const char *name = json_string_value(json_object_get(arm, "arm"));
        if (name) MS_TRY(read_arm(&at, name, json_object_get(results, "plan")));
    }
    return MS_OK;
}
