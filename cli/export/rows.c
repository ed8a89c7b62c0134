/* Rows: what each line of a run's files adds to a table. */
#include <errno.h>
#include <string.h>

#include "cli/export/tables.h"
#include "platform/log.h"

/* ---- cells ---- */

/* A value of the line that has no place in its column. */
static void note_odd(ms_export_run *run, const char *key) {
    if (!*run->first_odd) snprintf(run->first_odd, sizeof run->first_odd, "%s of step %lld", key, (long long)run->step);
}

/* Empty for null, for a key that the line lacks, and for what is no number, which is noted. */
static void add_value(ms_export_sheet *sheet, ms_export_run *run, const char *key, const json_t *value) {
    if (json_is_integer(value))
        ms_csv_integer(&sheet->csv, json_integer_value(value));
    else if (json_is_real(value))
        ms_csv_real(&sheet->csv, json_real_value(value), 17);
    else
        ms_csv_empty(&sheet->csv, 1);
    if (value && !json_is_number(value) && !json_is_null(value)) note_odd(run, key);
}

/* ---- what a table's file opens with ---- */

static void add_headings(ms_export_sheet *sheet, const char *const *names) {
    for (; *names; names++) ms_csv_text(&sheet->csv, *names);
}

/* Of a line itself, or of what it measured: of each head, or not. */
static bool is_in_table(const ms_export_sheet *sheet, const ms_export_column *column) {
    if (column->key->kind == MS_METRIC_ABOUT) return true;
    return column->by_head == (sheet->i_table == MS_EXPORT_heads);
}

static void add_key_headings(ms_export_sheet *sheet, bool about) {
    for (size_t i = 0; i < sheet->columns.n; i++) {
        const ms_export_column *column = &sheet->columns.items[i];
        if ((column->key->kind == MS_METRIC_ABOUT) == about && is_in_table(sheet, column))
            ms_csv_text(&sheet->csv, column->name);
    }
}

static void add_heading(ms_export_sheet *sheet) {
    bool has_run = sheet->i_table != MS_EXPORT_columns;
    add_headings(sheet, has_run ? (const char *const[]){"run", "seed", NULL} : (const char *const[]){"table", NULL});
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    switch (sheet->i_table) {
    case MS_EXPORT_runs:
        for (int i = 0; i < n_keys; i++) ms_csv_text(&sheet->csv, keys[i].full_name);
        break;
    case MS_EXPORT_spectra_long:
        add_headings(sheet,
                     (const char *const[]){"step", "tokens", "layer", "projection", "metric", "entry", "value", NULL});
        break;
    case MS_EXPORT_hashes:
        add_headings(sheet, (const char *const[]){"step", "tokens", "tensor", "sha256", NULL});
        break;
    case MS_EXPORT_warnings:
        add_headings(sheet, (const char *const[]){"time", "level", "message", NULL});
        break;
    case MS_EXPORT_columns:
        add_headings(sheet, (const char *const[]){"column", "key", "unit", "definition", "empty_when", NULL});
        break;
    default:
        add_key_headings(sheet, true);
        if (sheet->i_table == MS_EXPORT_heads) ms_csv_text(&sheet->csv, "head");
        if (sheet->i_table == MS_EXPORT_sigma_max)
            add_headings(sheet, (const char *const[]){"layer", "projection", NULL});
        add_key_headings(sheet, false);
    }
    ms_csv_end(&sheet->csv);
}

static ms_status begin_table(ms_export_sheet *sheet) {
    if (sheet->writer.stream) return MS_OK;
    MS_TRY(ms_writer_open(sheet->path, &sheet->writer));
    sheet->csv = (ms_csv){.stream = sheet->writer.stream};
    add_heading(sheet);
    return MS_OK;
}

/* ---- rows ---- */

static ms_status begin_row(ms_export_sheet *sheet, const ms_export_run *run) {
    MS_TRY(begin_table(sheet));
    sheet->n_rows++;
    ms_csv_text(&sheet->csv, run->path);
    if (run->has_config)
        ms_csv_integer(&sheet->csv, run->config.train.seed);
    else
        ms_csv_empty(&sheet->csv, 1);
    return MS_OK;
}

/* Adds the number of each column; `line` has them by key.  i_head -1: those that are of no head. */
static void add_numbers(ms_export_sheet *sheet, ms_export_run *run, const json_t *line, int i_head) {
    for (size_t i = 0; i < sheet->columns.n; i++) {
        const ms_export_column *column = &sheet->columns.items[i];
        if (column->key->kind == MS_METRIC_ABOUT || !is_in_table(sheet, column)) continue;
        const json_t *value = json_object_get(line, column->key->key);
        if (i_head >= 0 && value) value = json_array_get(value, (size_t)i_head);
        bool has_array = column->index >= 0;
        if (has_array && column->index == 0 && json_array_size(value) > (size_t)ms_export_column_entries(column))
            note_odd(run, column->key->key);
        if (has_array && json_is_array(value)) value = json_array_get(value, (size_t)column->index);
        add_value(sheet, run, column->key->key, value);
    }
}

static ms_status end_row(ms_export_sheet *sheet) {
    ms_csv_end(&sheet->csv);
    if (!ferror(sheet->writer.stream)) return MS_OK;
    return ms_status_from_errno(errno ? errno : EIO, "cannot write", sheet->path);
}

/* What the line itself says of its place: step, tokens, layer, projection, rows, cols. */
static void add_about(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    for (size_t i = 0; i < sheet->columns.n; i++) {
        const ms_export_column *column = &sheet->columns.items[i];
        if (column->key->kind != MS_METRIC_ABOUT) continue;
        const json_t *value = json_object_get(line, column->key->key);
        if (json_is_string(value))
            ms_csv_text(&sheet->csv, json_string_value(value));
        else
            add_value(sheet, run, column->key->key, value);
    }
}

static ms_status add_line(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    MS_TRY(begin_row(sheet, run));
    add_about(sheet, run, line);
    add_numbers(sheet, run, line, -1);
    return end_row(sheet);
}

/* A number a row, as long as the table of lines is wide. */
static ms_status add_long(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    for (size_t i = 0; i < sheet->columns.n; i++) {
        const ms_export_column *column = &sheet->columns.items[i];
        if (column->key->kind == MS_METRIC_ABOUT) continue;
        const json_t *value = json_object_get(line, column->key->key);
        if (column->index >= 0 && json_is_array(value)) value = json_array_get(value, (size_t)column->index);
        MS_TRY(begin_row(sheet, run));
        add_value(sheet, run, "step", json_object_get(line, "step"));
        add_value(sheet, run, "tokens", json_object_get(line, "tokens"));
        add_value(sheet, run, "layer", json_object_get(line, "layer"));
        ms_csv_text(&sheet->csv, json_string_value(json_object_get(line, "projection")));
        ms_csv_text(&sheet->csv, column->key->key);
        ms_csv_text(&sheet->csv, column->entry);
        add_value(sheet, run, column->key->key, value);
        MS_TRY(end_row(sheet));
    }
    return MS_OK;
}

static ms_status add_heads(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    size_t n_heads = 0;
    for (size_t i = 0; i < sheet->columns.n; i++) {
        size_t n = json_array_size(json_object_get(line, sheet->columns.items[i].key->key));
        if (sheet->columns.items[i].by_head && n > n_heads) n_heads = n;
    }
    for (size_t h = 0; h < n_heads; h++) {
        MS_TRY(begin_row(sheet, run));
        add_about(sheet, run, line);
        ms_csv_integer(&sheet->csv, (int64_t)h);
        add_numbers(sheet, run, line, (int)h);
        MS_TRY(end_row(sheet));
    }
    return MS_OK;
}

/* {"q": [...], ...}, a number for each layer, to a row for each matrix. */
static ms_status add_matrix(ms_export_sheet *sheet, ms_export_run *run, const json_t *line, const char *projection,
                            size_t layer) {
    MS_TRY(begin_row(sheet, run));
    add_about(sheet, run, line);
    ms_csv_integer(&sheet->csv, (int64_t)layer);
    ms_csv_text(&sheet->csv, projection);
    for (size_t i = 0; i < sheet->columns.n; i++) {
        const ms_export_column *column = &sheet->columns.items[i];
        if (column->key->kind == MS_METRIC_ABOUT) continue;
        const json_t *layers = json_object_get(json_object_get(line, column->key->key), projection);
        add_value(sheet, run, column->key->key, json_array_get(layers, layer));
    }
    return end_row(sheet);
}

static ms_status add_matrices(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    const char *projection;
    json_t *layers;
    json_object_foreach((json_t *)json_object_get(line, "sigma_max"), projection, layers) {
        for (size_t layer = 0; layer < json_array_size(layers); layer++)
            if (ms_selection_has(run->selection, (int64_t)layer, projection))
                MS_TRY(add_matrix(sheet, run, line, projection, layer));
    }
    return MS_OK;
}

static ms_status add_hashes(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    const char *tensor;
    json_t *hash;
    json_object_foreach((json_t *)json_object_get(line, "sha256"), tensor, hash) {
        MS_TRY(begin_row(sheet, run));
        add_value(sheet, run, "step", json_object_get(line, "step"));
        add_value(sheet, run, "tokens", json_object_get(line, "tokens"));
        ms_csv_text(&sheet->csv, tensor);
        ms_csv_text(&sheet->csv, json_string_value(hash));
        MS_TRY(end_row(sheet));
    }
    return MS_OK;
}

/* ---- lines ---- */

/* Whether a line names what it is of, as all of its file do, and that is asked for. */
static bool is_wanted(const ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    if (!ms_export_table_has_layers(sheet->i_table) || sheet->i_table == MS_EXPORT_sigma_max) return true;
    const json_t *layer = json_object_get(line, "layer"), *projection = json_object_get(line, "projection");
    bool needs_projection = ms_export_table_has_projections(sheet->i_table);
    if (!json_is_integer(layer) || json_integer_value(layer) < 0 || (needs_projection && !json_is_string(projection))) {
        if (!*run->first_lost)
            snprintf(run->first_lost, sizeof run->first_lost, "a line of step %lld", (long long)run->step);
        return false;
    }
    return ms_selection_has(run->selection, json_integer_value(layer), json_string_value(projection));
}

/* Keys stand in the order of the columns: the search goes on where the last one ended. */
static bool is_known(const ms_export_sheet *sheet, const char *key, size_t *at) {
    for (size_t i = 0; i < sheet->columns.n; i++) {
        size_t k = (*at + i) % sheet->columns.n;
        if (strcmp(sheet->columns.items[k].key->key, key) != 0) continue;
        *at = k;
        return true;
    }
    return false;
}

static ms_status note_unknown_keys(const ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    const char *key;
    json_t *value;
    size_t at = 0;
    json_object_foreach((json_t *)line, key, value) {
        bool is_of_hashes = sheet->i_table == MS_EXPORT_hashes &&
                            (strcmp(key, "step") == 0 || strcmp(key, "tokens") == 0 || strcmp(key, "sha256") == 0);
        if (is_of_hashes || is_known(sheet, key, &at)) continue;
        if (json_object_set_new(run->unknown_keys, key, json_null()) != 0)
            return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a key");
    }
    return MS_OK;
}

ms_status ms_export_add_line(ms_export_sheet *sheet, ms_export_run *run, const json_t *line) {
    run->step = json_integer_value(json_object_get(line, "step"));
    MS_TRY(note_unknown_keys(sheet, run, line));
    if (!is_wanted(sheet, run, line)) return MS_OK;
    switch (sheet->i_table) {
    case MS_EXPORT_spectra_long:
        return add_long(sheet, run, line);
    case MS_EXPORT_heads:
        return add_heads(sheet, run, line);
    case MS_EXPORT_sigma_max:
        return add_matrices(sheet, run, line);
    case MS_EXPORT_hashes:
        return add_hashes(sheet, run, line);
    default:
        return add_line(sheet, run, line);
    }
}

/* ---- what is made of no line of JSON ---- */

ms_status ms_export_add_config(ms_export_sheet *sheet, ms_export_run *run) {
    int n;
    char value[MS_CONFIG_STRING_SIZE];
    const ms_config_key *keys = ms_config_keys(&n);
    MS_TRY(begin_row(sheet, run));
    for (int i = 0; i < n; i++)
        ms_csv_text(&sheet->csv, run->has_config && (!run->given.is_partial || run->given.keys[i])
                                     ? ms_config_value_text(&run->config, &keys[i], value, sizeof value)
                                     : "");
    return end_row(sheet);
}

/* "<time> <level> <message>", where the level is one that warns. */
static ms_status add_log_line(ms_export_sheet *sheet, ms_export_run *run, char *line) {
    char *level = strchr(line, ' '), *message = level ? strchr(level + 1, ' ') : NULL;
    if (!message) return MS_OK;
    *level++ = *message++ = '\0';
    if (strcmp(level, ms_log_level_name(MS_LOG_WARNING)) != 0 && strcmp(level, ms_log_level_name(MS_LOG_ERROR)) != 0)
        return MS_OK;
    MS_TRY(begin_row(sheet, run));
    ms_csv_text(&sheet->csv, line);
    ms_csv_text(&sheet->csv, level);
    ms_csv_text(&sheet->csv, message + strspn(message, " "));
    return end_row(sheet);
}

ms_status ms_export_add_warnings(ms_export_sheet *sheet, ms_export_run *run, char *text) {
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        MS_TRY(add_log_line(sheet, run, text));
    }
    return MS_OK;
}

static ms_status describe(ms_export_sheet *sheet, const ms_export_sheet *table, const ms_export_column *column) {
    sheet->n_rows++;
    ms_csv_text(&sheet->csv, ms_export_table_name(table->i_table));
    ms_csv_text(&sheet->csv, column->name);
    ms_csv_text(&sheet->csv, column->key->key);
    ms_csv_text(&sheet->csv, column->key->unit);
    ms_csv_text(&sheet->csv, column->key->text);
    ms_csv_text(&sheet->csv, column->key->null_when);
    return end_row(sheet);
}

ms_status ms_export_add_columns(ms_export_sheet *sheet) {
    static const int tables[] = {MS_EXPORT_losses, MS_EXPORT_spectra, MS_EXPORT_probes, MS_EXPORT_heads,
                                 MS_EXPORT_sigma_max};
    MS_TRY(begin_table(sheet));
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        ms_export_sheet table;
        MS_TRY(ms_export_sheet_init(tables[k], "", &table));
        ms_status status = MS_OK;
        for (size_t i = 0; i < table.columns.n && status == MS_OK; i++)
            if (is_in_table(&table, &table.columns.items[i])) status = describe(sheet, &table, &table.columns.items[i]);
        ms_export_sheet_finish(&table);
        MS_TRY(status);
    }
    return MS_OK;
}
