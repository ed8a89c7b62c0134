#include "cli/export/export.h"

#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "tracker/compare/run_lines.h"
#include "train/settings.h"

/* All that is at work. */
typedef struct exporting {
    const ms_export_request *request;
    ms_export_run *runs; /* [n_runs] those that can be read */
    int n_runs, n_left_out;
    char first_left_out[1024];
    ms_selection selection;
    char *paths[MS_EXPORT_TABLES];            /* owned */
    ms_export_sheet sheets[MS_EXPORT_TABLES]; /* path NULL: not wanted */
    FILE *notes;
} exporting;

/* ---- runs ---- */

static ms_status check_run(const char *path, const char *config) {
    if (!ms_is_directory(path)) return MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", path);
    if (!ms_file_exists(config)) return MS_FAIL(MS_NOT_FOUND, "%s is not a run folder: it has no config.yaml", path);
    return MS_OK;
}

/* A configuration that this version does not know leaves the run's lines as they are. */
static ms_status load_run(exporting *all, const char *path) {
    ms_export_run *run = &all->runs[all->n_runs];
    char *config = ms_path_join(path, "config.yaml");
    if (!config) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
    ms_status status = check_run(path, config);
    *run = (ms_export_run){.path = path, .selection = &all->selection};
    ms_config_defaults(&run->config);
    if (status == MS_OK) {
        ms_status loaded = ms_settings_note_fault(ms_config_load_file(&run->config, config, &run->given), config);
        run->has_config = loaded == MS_OK;
        if (loaded == MS_OUT_OF_MEMORY) status = loaded;
        if (loaded != MS_OK) ms_print_line(all->notes, "export: %s: no seed: %s", path, ms_status_message());
        all->n_runs++;
    }
    free(config);
    return status;
}

static ms_status load_runs(exporting *all) {
    const ms_export_request *request = all->request;
    for (int i = 0; i < request->n_paths; i++) {
        ms_status status = load_run(all, request->paths[i]);
        if (status != MS_OK && status != MS_NOT_FOUND) return status;
        if (status == MS_OK) continue;
        if (all->n_left_out++ == 0)
            snprintf(all->first_left_out, sizeof all->first_left_out, "%s", ms_status_message());
        if (request->n_paths > 1) ms_print_line(all->notes, "export: left out: %s", ms_status_message());
    }
    return all->n_runs > 0 ? MS_OK : MS_FAIL(MS_NOT_FOUND, "no run to export: %s", all->first_left_out);
}

/* ---- files ---- */

/* One file of one run, into the tables that are made of it. */
typedef struct reading {
    exporting *all;
    ms_export_run *run;
    const char *file;
} reading;

static ms_status add_line(void *context, const ms_run_line *line) {
    reading *at = context;
    MS_TRY(ms_signals_check("export"));
    for (int i = 0; i < MS_EXPORT_TABLES; i++)
        if (at->all->sheets[i].path && strcmp(ms_export_table_file(i), at->file) == 0)
            MS_TRY(ms_export_add_line(&at->all->sheets[i], at->run, line->object));
    return MS_OK;
}

static void say_unknown_keys(const reading *at) {
    char names[600] = "";
    const char *key;
    json_t *value;
    size_t n = json_object_size(at->run->unknown_keys), n_named = 0;
    json_object_foreach(at->run->unknown_keys, key, value) {
        size_t used = strlen(names);
        if (used + strlen(key) + 3 > sizeof names) break;
        snprintf(names + used, sizeof names - used, "%s%s", n_named++ ? ", " : "", key);
    }
    if (n > 0)
        ms_print_line(at->all->notes, "export: %s/%s: of another version: %zu key%s without a column left out: %s%s",
                      at->run->path, at->file, n, n == 1 ? " is" : "s are", names, n_named < n ? ", ..." : "");
}

static void say_faults(const reading *at, const ms_run_line_faults *faults) {
    FILE *notes = at->all->notes;
    const char *run = at->run->path, *file = at->file;
    if (faults->n_bad > 0)
        ms_print_line(notes, "export: %s: %lld lines are cut, repeated or out of order, and left out (the first: %s)",
                      run, (long long)faults->n_bad, faults->first_bad);
    if (faults->n_partial > 0)
        ms_print_line(notes, "export: %s/%s ends within a line, which is left out: the run goes on, or was killed", run,
                      file);
    if (*at->run->first_lost)
        ms_print_line(notes, "export: %s/%s: lines without a layer or projection are left out (the first: %s)", run,
                      file, at->run->first_lost);
    if (*at->run->first_odd)
        ms_print_line(notes,
                      "export: %s/%s: values that are no numbers, or beyond the length of an array, are left "
                      "out (the first: %s)",
                      run, file, at->run->first_odd);
    say_unknown_keys(at);
}

static ms_status read_lines(reading *at) {
    ms_run_line_faults faults = {0};
    at->run->unknown_keys = json_object();
    if (!at->run->unknown_keys) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory");
    at->run->first_odd[0] = at->run->first_lost[0] = '\0';
    ms_status status = ms_run_lines_read(at->run->path, at->file, add_line, at, &faults);
    if (status == MS_OK) say_faults(at, &faults);
    json_decref(at->run->unknown_keys);
    at->run->unknown_keys = NULL;
    return status;
}

static ms_status read_log(reading *at) {
    char *path = ms_path_join(at->run->path, at->file), *text;
    size_t size_bytes;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
    ms_status status = MS_OK;
    if (ms_file_exists(path)) {
        status = ms_file_read(path, &text, &size_bytes);
        if (status == MS_OK) {
            status = ms_export_add_warnings(&at->all->sheets[MS_EXPORT_warnings], at->run, text);
            free(text);
        }
    }
    free(path);
    return status;
}

static ms_status read_file(reading *at, int i_table) {
    if (i_table == MS_EXPORT_runs) return ms_export_add_config(&at->all->sheets[i_table], at->run);
    if (i_table == MS_EXPORT_warnings) return read_log(at);
    return read_lines(at);
}

/* Whether a table before it is made of the same file, and has had its lines. */
static bool is_read(const exporting *all, int i_table) {
    for (int i = 0; i < i_table; i++)
        if (all->sheets[i].path && strcmp(ms_export_table_file(i), ms_export_table_file(i_table)) == 0) return true;
    return false;
}

static ms_status read_all(exporting *all) {
    for (int i = 0; i < MS_EXPORT_TABLES; i++) {
        if (!all->sheets[i].path || is_read(all, i)) continue;
        if (i == MS_EXPORT_columns) MS_TRY(ms_export_add_columns(&all->sheets[i]));
        for (int r = 0; i != MS_EXPORT_columns && r < all->n_runs; r++) {
            reading at = {all, &all->runs[r], ms_export_table_file(i)};
            MS_TRY(read_file(&at, i));
        }
    }
    return MS_OK;
}

/* ---- tables ---- */

static bool is_file(const char *out) { return ms_name_ends_with(out, ".csv"); }

static ms_status open_sheets(exporting *all) {
    const ms_export_request *request = all->request;
    for (int i = 0; i < MS_EXPORT_TABLES; i++) {
        char name[MS_EXPORT_NAME_SIZE];
        if (!request->tables[i]) continue;
        snprintf(name, sizeof name, "%s.csv", ms_export_table_name(i));
        all->paths[i] = is_file(request->out) ? strdup(request->out) : ms_path_join(request->out, name);
        if (!all->paths[i]) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
        MS_TRY(ms_export_sheet_init(i, all->paths[i], &all->sheets[i]));
    }
    return MS_OK;
}

static ms_status check_selection(const exporting *all) {
    const ms_export_request *request = all->request;
    bool has_layers = false, has_projections = false;
    for (int i = 0; i < MS_EXPORT_TABLES; i++) {
        has_layers |= request->tables[i] && ms_export_table_has_layers(i);
        has_projections |= request->tables[i] && ms_export_table_has_projections(i);
    }
    if ((request->layers && !has_layers) || (request->projections && !has_projections))
        return MS_FAIL(MS_USAGE, "--%s: the tables that are asked for have none",
                       request->layers && !has_layers ? "layers" : "projections");
    return MS_OK;
}

/* A table without a row is no file. */
static ms_status check_rows(const exporting *all) {
    for (int i = 0; i < MS_EXPORT_TABLES && all->request->are_named; i++)
        if (all->sheets[i].path && all->sheets[i].n_rows == 0)
            return MS_FAIL(MS_NOT_FOUND, "export: no row for %s: %s of %s%s has none", ms_export_table_name(i),
                           ms_export_table_file(i), all->runs[0].path, all->n_runs > 1 ? " and the others" : "");
    return MS_OK;
}

static ms_status commit(exporting *all, FILE *printed) {
    for (int i = 0; i < MS_EXPORT_TABLES; i++) {
        ms_export_sheet *sheet = &all->sheets[i];
        if (sheet->n_rows == 0) continue;
        MS_TRY(ms_writer_commit(&sheet->writer));
        ms_print_line(printed, "%s: %lld rows", sheet->path, (long long)sheet->n_rows);
    }
    return MS_OK;
}

static ms_status write_tables(exporting *all, FILE *printed) {
    MS_TRY(open_sheets(all));
    MS_TRY(read_all(all));
    MS_TRY(ms_selection_check(&all->selection));
    MS_TRY(check_rows(all));
    return commit(all, printed);
}

/* A folder that was made for nothing goes. */
static ms_status write_into_folder(exporting *all, FILE *printed) {
    const char *folder = all->request->out;
    if (is_file(folder)) return write_tables(all, printed);
    bool was_there = ms_is_directory(folder);
    MS_TRY(ms_directory_create(folder));
    ms_status status = write_tables(all, printed);
    for (int i = 0; i < MS_EXPORT_TABLES; i++) ms_export_sheet_finish(&all->sheets[i]);
    if (status != MS_OK && !was_there) (void)ms_remove_one(folder);
    return status;
}

static void finish(exporting *all) {
    for (int i = 0; i < MS_EXPORT_TABLES; i++) {
        ms_export_sheet_finish(&all->sheets[i]);
        free(all->paths[i]);
    }
    free(all->runs);
}

ms_status ms_export_csv(const ms_export_request *request, FILE *printed, FILE *notes) {
    exporting all = {.request = request, .notes = notes};
    MS_TRY(ms_selection_parse(request->layers, request->projections, &all.selection));
    MS_TRY(check_selection(&all));
    all.runs = calloc((size_t)request->n_paths, sizeof *all.runs);
    ms_status status = all.runs ? load_runs(&all) : MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for the runs");
    if (status == MS_OK) status = write_into_folder(&all, printed);
    if (status == MS_OK && all.n_left_out > 0)
        status = MS_FAIL(MS_INVALID, "export: %d of %d runs were left out, the first: %s", all.n_left_out,
                         request->n_paths, all.first_left_out);
    finish(&all);
    return status;
}
