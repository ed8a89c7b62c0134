#include "cli/report/table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void add_key(ms_report_table *table, const ms_metric *metric, int entry) {
    if (table->n_keys < MS_REPORT_KEYS) table->keys[table->n_keys++] = (ms_report_key){metric, entry};
}

static bool is_in(const char *name, const char *const *names) {
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

void ms_report_table_init(ms_report_table *table, const char *file, const char *before, const char *const *lists,
                          int list_entries) {
    size_t n_files;
    const ms_metric_file *files = ms_metric_files(&n_files);
    *table = (ms_report_table){.n_keys = 0};
    for (size_t f = 0; f < n_files; f++) {
        if (strcmp(files[f].name, file) != 0) continue;
        for (size_t k = 0; k < files[f].n_keys; k++) {
            const ms_metric *metric = &files[f].keys[k];
            bool is_number = metric->kind == MS_METRIC_SCALAR || metric->kind == MS_METRIC_SLOT;
            if (is_number && (!before || strncmp(metric->key, before, strlen(before)) == 0)) add_key(table, metric, -1);
            if (metric->kind == MS_METRIC_LIST && is_in(metric->key, lists))
                for (int i = 0; i < list_entries; i++) add_key(table, metric, i);
        }
    }
}

static ms_status grow(ms_report_table *table) {
    size_t capacity = table->capacity ? 2 * table->capacity : 256;
    size_t n_keys = (size_t)table->n_keys;
    int64_t *steps = realloc(table->steps, capacity * sizeof *steps);
    if (steps) table->steps = steps;
    double *tokens = realloc(table->tokens, capacity * sizeof *tokens);
    if (tokens) table->tokens = tokens;
    int *subjects = realloc(table->subjects, capacity * sizeof *subjects);
    if (subjects) table->subjects = subjects;
    double *values = realloc(table->values, (capacity * n_keys + 1) * sizeof *values);
    if (values) table->values = values;
    if (!steps || !tokens || !subjects || !values)
        return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu lines of %zu numbers", capacity, n_keys);
    table->capacity = capacity;
    return MS_OK;
}

ms_status ms_report_table_add(ms_report_table *table, const json_t *line, int subject) {
    if (table->n == table->capacity) MS_TRY(grow(table));
    double *values = table->values + table->n * (size_t)table->n_keys;
    for (int k = 0; k < table->n_keys; k++) {
        const json_t *value = json_object_get(line, table->keys[k].metric->key);
        if (table->keys[k].entry >= 0) value = json_array_get(value, (size_t)table->keys[k].entry);
        values[k] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    table->steps[table->n] = json_integer_value(json_object_get(line, "step"));
    table->tokens[table->n] = json_number_value(json_object_get(line, "tokens"));
    table->subjects[table->n++] = subject;
    return MS_OK;
}

void ms_report_table_finish(ms_report_table *table) {
    free(table->steps);
    free(table->tokens);
    free(table->subjects);
    free(table->values);
    *table = (ms_report_table){.n_keys = 0};
}

int ms_report_table_find(const ms_report_table *table, const char *key) {
    for (int k = 0; k < table->n_keys; k++)
        if (table->keys[k].entry < 0 && strcmp(table->keys[k].metric->key, key) == 0) return k;
    return -1;
}
