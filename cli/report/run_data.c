#include "cli/report/run_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/notes.h"
#include "platform/file.h"
#include "tracker/compare/run_lines.h"

static const char *const frequency_lists[] = {"loss_by_frequency", NULL};
static const char *const spectra_lists[] = {"sigma_top", "sigma_quantiles", "orthogonality_of_update", NULL};
static const char *const head_lists[] = {
    "attention_entropy", "attention_logit_max", "attention_first_token", "qk_rank", "ov_rank", NULL};

static ms_status note_faults(ms_report_run *run, const char *file, const ms_run_line_faults *faults) {
    if (faults->n_bad == 0) return MS_OK;
    return ms_report_note(run->notes,
                          "%s: %lld lines are no lines of a run, or out of order, and are left out; the first: %s",
                          file, (long long)faults->n_bad, faults->first_bad);
}

/* A file that cannot be read is no reason to show nothing. */
static ms_status read_file(ms_report_run *run, const char *file, ms_status (*visit)(void *, const ms_run_line *)) {
    ms_run_line_faults faults = {0};
    ms_status status = ms_run_lines_read(run->folder, file, visit, run, &faults);
    if (status == MS_OUT_OF_MEMORY) return status;
    if (status != MS_OK) return ms_report_note(run->notes, "%s", ms_status_message());
    return note_faults(run, file, &faults);
}

static ms_status visit_metrics(void *context, const ms_run_line *line) {
    ms_report_run *run = context;
    bool is_validation = json_object_get(line->object, "validation_loss") != NULL;
    return ms_report_table_add(is_validation ? &run->validations : &run->steps, line->object, 0);
}

/* --- spectra.jsonl --- */

static int get_index(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    json_int_t index = json_is_integer(value) ? json_integer_value(value) : -1;
    return index >= 0 && index <= 1000000 ? (int)index : -1;
}

/* The number of a matrix, which is added where it is new; -1: the line names none. */
static ms_status find_matrix(ms_report_run *run, const json_t *line, int *out) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    ms_report_matrix matrix = {.layer = get_index(line, "layer")};
    const char *projection = json_string_value(json_object_get(line, "projection"));
    size_t length = projection ? strlen(projection) : 0;
    *out = -1;
    if (matrix.layer < 0 || matrix.layer >= MS_REPORT_LAYERS || length == 0 || length >= MS_REPORT_NAME_SIZE ||
        strspn(projection, letters) != length)
        return MS_OK;
    memcpy(matrix.projection, projection, length);
    /* Lines come in one order: the matrix after the last one is looked at first. */
    size_t n = run->n_matrices, after = run->spectra.n ? (size_t)run->spectra.subjects[run->spectra.n - 1] + 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const ms_report_matrix *at = &run->matrices[(after + i) % n];
        if (at->layer != matrix.layer || strcmp(at->projection, projection) != 0) continue;
        *out = (int)((after + i) % n);
        return MS_OK;
    }
    if ((n & (n - 1)) == 0) {
        ms_report_matrix *larger = realloc(run->matrices, (n ? 2 * n : 1) * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu matrices", 2 * n);
        run->matrices = larger;
    }
    int rows = get_index(line, "rows"), cols = get_index(line, "cols");
    matrix.rows = rows > 0 ? rows : 0;
    matrix.cols = cols > 0 ? cols : 0;
    *out = (int)n;
    run->matrices[run->n_matrices++] = matrix;
    return MS_OK;
}

static ms_status visit_spectra(void *context, const ms_run_line *line) {
    ms_report_run *run = context;
    int i_matrix;
    MS_TRY(find_matrix(run, line->object, &i_matrix));
    return i_matrix < 0 ? MS_OK : ms_report_table_add(&run->spectra, line->object, i_matrix);
}

/* --- probes.jsonl --- */

static ms_status visit_probes(void *context, const ms_run_line *line) {
    ms_report_run *run = context;
    int layer = get_index(line->object, "layer");
    if (layer < 0 || layer >= MS_REPORT_LAYERS) return MS_OK;
    if (run->probes.n_keys == 0) {
        size_t n = json_array_size(json_object_get(line->object, "attention_entropy"));
        run->n_heads = n < MS_REPORT_HEADS ? (int)n : MS_REPORT_HEADS;
        ms_report_table_init(&run->probes, "probes.jsonl", NULL, head_lists, run->n_heads);
    }
    return ms_report_table_add(&run->probes, line->object, layer);
}

/* --- grids --- */

static ms_status init_grid(const ms_report_table *table, size_t n_subjects, ms_report_grid *out) {
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++) n += i == 0 || table->steps[i] > table->steps[i - 1];
    if (n * n_subjects > 64 * (table->n + 1024)) return MS_OK; /* lines of a run are not that sparse */
    out->n_snapshots = n;
    out->n_subjects = n_subjects;
    out->first = calloc(n + 1, sizeof *out->first);
    out->line_of = malloc((n * n_subjects + 1) * sizeof *out->line_of);
    if (!out->first || !out->line_of)
        return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu snapshots of %zu", n, n_subjects);
    for (size_t i = 0; i < n * n_subjects; i++) out->line_of[i] = -1;
    size_t at = 0, n_last = 0;
    for (size_t i = 0; i < table->n; i++) {
        if (i > 0 && table->steps[i] > table->steps[i - 1]) {
            at++;
            n_last = 0;
        }
        if (n_last++ == 0) out->first[at] = i;
        out->line_of[at * n_subjects + (size_t)table->subjects[i]] = (int64_t)i;
    }
    out->has_partial = n > 1 && n_last < n_subjects;
    if (out->has_partial) out->n_snapshots--;
    return MS_OK;
}

static ms_status init_grids(ms_report_run *run) {
    int n_layers = 0;
    for (size_t i = 0; i < run->probes.n; i++)
        if (run->probes.subjects[i] >= n_layers) n_layers = run->probes.subjects[i] + 1;
    MS_TRY(init_grid(&run->spectra, run->n_matrices, &run->snapshots));
    MS_TRY(init_grid(&run->probes, (size_t)n_layers, &run->looks));
    if ((run->spectra.n > 0 && run->snapshots.n_snapshots == 0) || (run->probes.n > 0 && run->looks.n_snapshots == 0))
        MS_TRY(ms_report_note(run->notes,
                              "spectra.jsonl or probes.jsonl: hardly two lines tell of one matrix or layer: "
                              "not shown"));
    if (run->snapshots.has_partial || run->looks.has_partial)
        return ms_report_note(run->notes, "the last snapshot is not complete, and is left out");
    return MS_OK;
}

/* --- all --- */

static ms_status read_config(ms_report_run *run) {
    char *path = ms_path_join(run->folder, "config.yaml");
    ms_config_defaults(&run->config);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a path");
    ms_config_given given = {.keys = {false}};
    ms_status status = ms_config_load_file(&run->config, path, &given);
    free(path);
    if (status == MS_OUT_OF_MEMORY) return status;
    if (status == MS_OK && given.is_partial)
        status = MS_FAIL(MS_UNSUPPORTED, "the training is another program's, and config.yaml says little of it");
    run->has_config = status == MS_OK;
    if (run->has_config) return MS_OK;
    ms_config_defaults(&run->config);
    return ms_report_note(run->notes, "its configuration is not shown: %s", ms_status_message());
}

static ms_status read_all(ms_report_run *run) {
    ms_report_table_init(&run->steps, "metrics.jsonl", NULL, NULL, 0);
    ms_report_table_init(&run->validations, "metrics.jsonl", "validation_", frequency_lists, 10);
    ms_report_table_init(&run->spectra, "spectra.jsonl", NULL, spectra_lists, 10);
    MS_TRY(read_config(run));
    MS_TRY(read_file(run, "metrics.jsonl", visit_metrics));
    MS_TRY(read_file(run, "spectra.jsonl", visit_spectra));
    MS_TRY(read_file(run, "probes.jsonl", visit_probes));
    return init_grids(run);
}

ms_status ms_report_run_init(const char *folder, ms_report_run *out) {
    *out = (ms_report_run){.folder = folder, .notes = json_array()};
    ms_status status = out->notes ? read_all(out) : MS_FAIL(MS_OUT_OF_MEMORY, "report: notes");
    if (status != MS_OK) ms_report_run_finish(out);
    return status;
}

void ms_report_run_finish(ms_report_run *run) {
    ms_report_table_finish(&run->steps);
    ms_report_table_finish(&run->validations);
    ms_report_table_finish(&run->spectra);
    ms_report_table_finish(&run->probes);
    free(run->matrices);
    free(run->snapshots.first);
    free(run->snapshots.line_of);
    free(run->looks.first);
    free(run->looks.line_of);
    json_decref(run->notes);
    *run = (ms_report_run){.folder = NULL};
}

double ms_report_run_value(const ms_report_run *run, size_t i_snapshot, size_t i_matrix, int i_key) {
    int64_t line = run->snapshots.line_of[i_snapshot * run->snapshots.n_subjects + i_matrix];
    return line < 0 || i_key < 0 ? NAN
                                 : run->spectra.values[(size_t)line * (size_t)run->spectra.n_keys + (size_t)i_key];
}
