#include "cli/export/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/spectrum.h"

static const char *const numbers[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
static const char *const quantiles[] = {"q1", "q10", "q50", "q90"};
static const char *const spread[] = {"min", "q1", "q10", "q50", "q90", "max"};
_Static_assert(sizeof numbers / sizeof *numbers == MS_SPECTRUM_TOP, "a name for each of the largest singular values");

/* Arrays, as the CSV of `muonscope analyze` names their columns.  n 0: a number for each head, which is no array of a
   head's row. */
typedef struct list_shape {
    const char *key, *begin;
    const char *const *entries;
    int n;
    bool by_head;
} list_shape;

#define LENGTH(array) (int)(sizeof(array) / sizeof *(array))
static const list_shape lists[] = {
    {"sigma_top", "sigma_", numbers, LENGTH(numbers), false},
    {"velocity_top", "velocity_", numbers, LENGTH(numbers), false},
    {"sigma_quantiles", "sigma_", quantiles, LENGTH(quantiles), false},
    {"update_sigma", "update_sigma_", numbers, LENGTH(numbers), false},
    {"update_sigma_quantiles", "update_sigma_", quantiles, LENGTH(quantiles), false},
    {"momentum_quantiles", "momentum_", quantiles, LENGTH(quantiles), false},
    {"momentum_quantiles_merged", "momentum_merged_", quantiles, LENGTH(quantiles), false},
    {"orthogonality_of_update", "orthogonality_of_update_", spread, LENGTH(spread), false},
    {"orthogonality_of_update_merged", "orthogonality_of_update_merged_", spread, LENGTH(spread), false},
    {"loss_by_frequency", "loss_by_frequency_", numbers, LENGTH(numbers), false},
    {"targets_by_frequency", "targets_by_frequency_", numbers, LENGTH(numbers), false},
    {"attention_entropy", "attention_entropy", NULL, 0, true},
    {"attention_logit_max", "attention_logit_max", NULL, 0, true},
    {"attention_first_token", "attention_first_token", NULL, 0, true},
    {"qk_sigma", "qk_sigma_", numbers, LENGTH(numbers), true},
    {"qk_rank", "qk_rank", NULL, 0, true},
    {"ov_sigma", "ov_sigma_", numbers, LENGTH(numbers), true},
    {"ov_rank", "ov_rank", NULL, 0, true},
};

static const list_shape *shape_of(const char *key) {
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(lists[i].key, key) == 0) return &lists[i];
    return NULL;
}

int ms_export_column_entries(const ms_export_column *column) {
    const list_shape *shape = shape_of(column->key->key);
    return column->index >= 0 && shape ? shape->n : 1;
}

static void add(ms_export_columns *out, const ms_metric *key, const list_shape *shape, int index) {
    ms_export_column *column = &out->items[out->n++];
    *column = (ms_export_column){.key = key, .entry = "", .index = index, .by_head = shape && shape->by_head};
    if (index >= 0) column->entry = shape->entries[index];
    snprintf(column->name, sizeof column->name, "%s%s", shape ? shape->begin : key->key, column->entry);
}

static ms_status add_key(ms_export_columns *out, const ms_metric *key) {
    const list_shape *shape = key->kind == MS_METRIC_LIST ? shape_of(key->key) : NULL;
    if (key->kind == MS_METRIC_LIST && !shape)
        return MS_FAIL(MS_INTERNAL, "export: no columns are known for the array %s", key->key);
    if (!shape || shape->n == 0) add(out, key, shape, -1);
    for (int i = 0; shape && i < shape->n; i++) add(out, key, shape, i);
    return MS_OK;
}

ms_status ms_export_columns_init(const char *file, ms_export_columns *out) {
    size_t n, i = 0;
    const ms_metric_file *files = ms_metric_files(&n);
    *out = (ms_export_columns){0};
    while (i < n && strcmp(files[i].name, file) != 0) i++;
    if (i == n) return MS_FAIL(MS_NOT_FOUND, "export: no keys of %s are known", file);
    out->items = calloc(files[i].n_keys * MS_SPECTRUM_TOP, sizeof *out->items);
    if (!out->items) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for columns");
    ms_status status = MS_OK;
    for (size_t k = 0; k < files[i].n_keys && status == MS_OK; k++) status = add_key(out, &files[i].keys[k]);
    if (status != MS_OK) ms_export_columns_finish(out);
    return status;
}

void ms_export_columns_finish(ms_export_columns *columns) {
    free(columns->items);
    *columns = (ms_export_columns){0};
}
