#include "cli/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/columns.h"
#include "cli/report/findings.h"
#include "cli/report/notes.h"
#include "cli/report/study.h"
#include "cli/report/texts.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/median.h"
#include "tracker/run_log.h"

static const char what[] = "the report's data";

/* --- a run --- */

/* The median of a number of the steps; NaN: none. */
static ms_status median_of(const ms_report_run *run, const char *key, double *out) {
    const ms_report_table *table = &run->steps;
    int i_key = ms_report_table_find(table, key), n = 0;
    double *values = malloc((table->n + 1) * sizeof *values);
    *out = NAN;
    if (!values) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu values", table->n);
    for (size_t i = 0; i < table->n && i_key >= 0; i++) {
        double value = table->values[i * (size_t)table->n_keys + (size_t)i_key];
        if (isfinite(value)) values[n++] = value;
    }
    if (n > 0) *out = ms_median(values, n);
    free(values);
    return MS_OK;
}

/* "facts": where the run is, and in what time. */
static ms_status add_facts(const ms_report_run *run, json_t *facts) {
    int64_t last = run->steps.n > 0 ? run->steps.steps[run->steps.n - 1] : 0;
    double tokens = run->steps.n > 0 ? run->steps.tokens[run->steps.n - 1] : 0, median, seconds = 0;
    int i_ms = ms_report_table_find(&run->steps, "ms");
    for (size_t i = 0; i < run->steps.n; i++) {
        double ms = i_ms < 0 ? NAN : run->steps.values[i * (size_t)run->steps.n_keys + (size_t)i_ms];
        if (isfinite(ms)) seconds += 1e-3 * ms;
    }
    MS_TRY(ms_json_set(facts, what, "step", json_integer(last)));
    MS_TRY(ms_json_set(facts, what, "tokens", json_integer((json_int_t)tokens)));
    MS_TRY(ms_json_set(facts, what, "seconds", ms_run_log_real(seconds)));
    MS_TRY(median_of(run, "tokens_per_second", &median));
    MS_TRY(ms_json_set(facts, what, "tokens_per_second", ms_run_log_real(median)));
    if (!run->has_config) return MS_OK;
    MS_TRY(ms_json_set(facts, what, "steps", json_integer(ms_config_steps(&run->config))));
    if (last < ms_config_steps(&run->config))
        MS_TRY(ms_report_note(run->notes, "the run is not finished: it has made %lld of %lld steps", (long long)last,
                              (long long)ms_config_steps(&run->config)));
    if (run->config.train.control == MS_CONTROL_NONE) return MS_OK;
    return ms_report_note(run->notes, "the run is a control (train.control %s): what it shows is no effect of learning",
                          ms_control_names[run->config.train.control]);
}

static ms_status add_series(const ms_phase_series *series, json_t *list) {
    json_t *object, *steps = json_array();
    MS_TRY(ms_json_pack(&object, what, "{s:s, s:b, s:i, s:s, s:o}", "key", series->key, "rates", series->rates, "layer",
                        series->layer, "projection", series->projection, "steps", steps));
    MS_TRY(ms_json_append(list, what, object));
    for (int i = 0; i < series->n_changes; i++)
        MS_TRY(ms_json_append(steps, what, json_integer((json_int_t)series->changes[i])));
    return MS_OK;
}

/* "changes" of the phases: the series that change, and of each key how many do. */
static ms_status add_changes(const ms_phases *phases, json_t *data) {
    json_t *changes = json_array();
    MS_TRY(ms_json_set(data, what, "changes", changes));
    for (int i = 0; i < phases->n_series; i++)
        if (phases->series[i].n_changes > 0) MS_TRY(add_series(&phases->series[i], changes));
    return MS_OK;
}

/* Change points need whole files: where a line is bad there are none. */
static ms_status read_phases(ms_report_run *run, ms_phases *out, bool *out_known) {
    char *metrics = ms_path_join(run->folder, "metrics.jsonl"), *spectra = ms_path_join(run->folder, "spectra.jsonl");
    ms_status status = metrics && spectra ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "report: paths");
    *out_known = false;
    if (status == MS_OK && run->snapshots.n_snapshots > 0) {
        status = ms_phases_init(metrics, spectra, 0, out);
        *out_known = status == MS_OK;
        if (status != MS_OK && status != MS_OUT_OF_MEMORY)
            status = ms_report_note(run->notes, "no change points: %s", ms_status_message());
    }
    free(metrics);
    free(spectra);
    return status;
}

static ms_status add_run(ms_report_run *run, json_t *data) {
    ms_phases phases = {0};
    bool known;
    json_t *facts = json_object();
    MS_TRY(ms_json_set(data, what, "facts", facts));
    MS_TRY(add_facts(run, facts));
    MS_TRY(ms_report_add_configuration(run, data));
    MS_TRY(ms_report_add_log(run, data, facts));
    MS_TRY(ms_report_add_samples(run, data));
    MS_TRY(ms_report_add_columns(run, data));
    ms_status status = read_phases(run, &phases, &known);
    if (status == MS_OK && known) status = add_changes(&phases, data);
    if (status == MS_OK) status = ms_report_add_findings(run, known ? &phases : NULL, data);
    ms_phases_finish(&phases);
    return status;
}

static ms_status read_run(const char *folder, json_t *data) {
    ms_report_run run;
    MS_TRY(ms_report_run_init(folder, &run));
    ms_status status = add_run(&run, data);
    if (status == MS_OK) status = ms_json_set(data, what, "notes", json_incref(run.notes));
    ms_report_run_finish(&run);
    return status;
}

/* --- run or study --- */

/* The folder's own name, without what leads to it. */
static ms_status set_name(const char *folder, json_t *data) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/') begin--;
    return ms_json_set(data, what, "name", ms_report_text(folder + begin, end - begin, 512));
}

static ms_status read_folder(const char *folder, json_t *data) {
    bool is_study = ms_folder_has(folder, "results.json") && ms_folder_has(folder, "study.yaml");
    MS_TRY(set_name(folder, data));
    MS_TRY(ms_json_set_text(data, what, "kind", is_study ? "study" : "run"));
    return is_study ? ms_report_add_study(folder, data) : read_run(folder, data);
}

ms_status ms_report_data(const char *folder, char **out_text, size_t *out_size_bytes) {
    *out_text = NULL;
    *out_size_bytes = 0;
    if (!ms_is_directory(folder)) return MS_FAIL(MS_NOT_FOUND, "report: folder %s does not exist", folder);
    if (!ms_folder_has(folder, "results.json") && !ms_folder_has(folder, "config.yaml") &&
        !ms_folder_has(folder, "metrics.jsonl"))
        return MS_FAIL(MS_NOT_FOUND,
                       "report: %s is neither a run (no config.yaml, no metrics.jsonl) nor a study (no results.json)",
                       folder);
    json_t *data;
    MS_TRY(ms_json_pack(&data, what, "{s:s, s:i}", "format", "muonscope-report", "version", 1));
    ms_status status = read_folder(folder, data);
    if (status == MS_OK) status = ms_json_text(data, what, JSON_COMPACT | JSON_REAL_PRECISION(5), out_text);
    if (status == MS_OK) *out_size_bytes = strlen(*out_text);
    json_decref(data);
    return status;
}
