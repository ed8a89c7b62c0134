#include <jansson.h>
#include <math.h>

#include "cli/compare/print.h"
#include "platform/json.h"
#include "tracker/run_log.h"

static const char what[] = "compare --format json";

static ms_status set_real(json_t *object, const char *key, double value) {
    return ms_json_set(object, what, key, ms_run_log_real(value));
}

/* mean, deviation, low, high of n values. */
static ms_status set_interval(json_t *object, const ms_paired *interval) {
    MS_TRY(set_real(object, "mean", interval->mean));
    MS_TRY(set_real(object, "deviation", interval->deviation));
    MS_TRY(set_real(object, "low", interval->low));
    return set_real(object, "high", interval->high);
}

/* An empty object at the end of an array, which owns it. */
static ms_status append_object(json_t *array, json_t **out) {
    *out = json_object();
    return ms_json_append(array, what, *out);
}

/* An empty array under a key of an object, which owns it. */
static ms_status set_array(json_t *object, const char *key, json_t **out) {
    *out = json_array();
    return ms_json_set(object, what, key, *out);
}

static ms_status add_runs(const ms_compare_set *set, json_t *root) {
    json_t *list, *run;
    MS_TRY(set_array(root, "runs", &list));
    for (size_t i = 0; i < set->n; i++) {
        const ms_compared_run *compared = &set->compared[i];
        MS_TRY(append_object(list, &run));
        MS_TRY(ms_json_set_text(run, what, "run", set->runs[i].path));
        MS_TRY(ms_json_set_text(run, what, "group", set->labels[compared->i_group]));
        MS_TRY(ms_json_set(run, what, "seed", json_integer(compared->seed)));
        MS_TRY(ms_json_set(run, what, "step", json_integer(compared->last_step)));
        MS_TRY(set_real(run, "tokens", compared->last_tokens));
        MS_TRY(ms_json_set(run, what, "finished", json_boolean(compared->finished)));
    }
    return MS_OK;
}

static ms_status set_step(json_t *object, const char *key, int64_t step) {
    return ms_json_set(object, what, key, step < 0 ? json_null() : json_integer(step));
}

static ms_status add_partings(const ms_compare_set *set, json_t *root) {
    json_t *list, *object;
    MS_TRY(set_array(root, "partings", &list));
    for (size_t i = 0; i < set->n_pairs; i++) {
        const ms_parting *parting = &set->pairs[i].parting;
        bool parts = parting->first_unlike >= 0;
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set(object, what, "seed", json_integer(set->pairs[i].seed)));
        MS_TRY(ms_json_set_text(object, what, "a", set->pairs[i].a));
        MS_TRY(ms_json_set_text(object, what, "b", set->pairs[i].b));
        MS_TRY(ms_json_set(object, what, "steps_compared", json_integer(parting->n_compared)));
        MS_TRY(set_step(object, "last_same", parting->last_same));
        MS_TRY(set_step(object, "first_unlike", parting->first_unlike));
        MS_TRY(ms_json_set(object, what, "tensor", parts ? json_string(parting->tensor) : json_null()));
        MS_TRY(ms_json_set(object, what, "tensors_unlike", json_integer(parting->n_unlike)));
        MS_TRY(ms_json_set(object, what, "tensors", json_integer(parting->n_tensors)));
        MS_TRY(set_step(object, "loss_last_same", parting->loss_last_same));
        MS_TRY(set_step(object, "loss_first_unlike", parting->loss_first_unlike));
    }
    return MS_OK;
}

static ms_status add_cell(const ms_compare_set *set, const ms_comparison_cell *cell, int i_group, json_t *list) {
    json_t *object, *difference;
    MS_TRY(append_object(list, &object));
    MS_TRY(ms_json_set_text(object, what, "group", set->labels[i_group]));
    MS_TRY(ms_json_set(object, what, "n", json_integer(cell->values.n)));
    MS_TRY(set_interval(object, &cell->values));
    if (i_group == set->i_baseline) return MS_OK;
    difference = json_object();
    MS_TRY(ms_json_set(object, what, "difference", difference));
    MS_TRY(ms_json_set(difference, what, "pairs", json_integer(cell->difference.n)));
    MS_TRY(set_interval(difference, &cell->difference));
    MS_TRY(set_real(difference, "p", cell->difference.p));
    MS_TRY(set_real(difference, "p_least", cell->difference.p_least));
    return set_real(difference, "p_holm", cell->p_holm);
}

static ms_status add_row(const ms_compare_set *set, const ms_comparison_row *row, json_t *list) {
    json_t *object, *values, *groups;
    MS_TRY(append_object(list, &object));
    MS_TRY(ms_json_set_text(object, what, "metric", row->name));
    MS_TRY(set_real(object, "place", row->place));
    MS_TRY(set_array(object, "values", &values));
    for (size_t i = 0; i < set->n; i++) MS_TRY(ms_json_append(values, what, ms_run_log_real(row->values[i])));
    MS_TRY(set_array(object, "groups", &groups));
    for (int g = 0; g < set->n_groups; g++) MS_TRY(add_cell(set, &row->cells[g], g, groups));
    return MS_OK;
}

static ms_status add_comparisons(const ms_compare_result *result, json_t *root) {
    json_t *list, *object, *rows;
    MS_TRY(set_array(root, "comparisons", &list));
    for (size_t i = 0; i < result->n; i++) {
        const ms_comparison *comparison = &result->comparisons[i];
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set_text(object, what, "at", ms_comparison_at_name(comparison->at)));
        MS_TRY(set_real(object, "place", comparison->place));
        MS_TRY(ms_json_set(object, what, "tests", json_integer(comparison->n_tests)));
        MS_TRY(set_array(object, "rows", &rows));
        for (size_t k = 0; k < comparison->n_rows; k++) MS_TRY(add_row(result->set, &comparison->rows[k], rows));
    }
    return MS_OK;
}

static ms_status fill(const ms_compare_result *result, json_t *root) {
    const ms_compare_set *set = result->set;
    json_t *by, *notes;
    MS_TRY(set_array(root, "by", &by));
    for (int i = 0; i < set->n_by; i++) MS_TRY(ms_json_append(by, what, json_string(set->by[i]->full_name)));
    MS_TRY(ms_json_set_text(root, what, "baseline", set->labels[set->i_baseline]));
    MS_TRY(set_real(root, "confidence", result->confidence));
    MS_TRY(set_real(root, "smoothing_tokens", set->smoothing_tokens));
    MS_TRY(ms_json_set(root, what, "left_out", json_integer(set->n_left_out)));
    MS_TRY(set_array(root, "notes", &notes));
    for (size_t i = 0; i < set->notes.n; i++) {
        MS_TRY(ms_json_check_text("a note", set->notes.lines[i]));
        MS_TRY(ms_json_append(notes, what, json_string(set->notes.lines[i])));
    }
    MS_TRY(add_runs(set, root));
    MS_TRY(add_partings(set, root));
    return add_comparisons(result, root);
}

ms_status ms_compare_print_json(const ms_compare_result *result, FILE *stream) {
    json_t *root = json_object();
    ms_status status = root ? fill(result, root) : MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for the JSON");
    if (status == MS_OK) status = ms_json_print(root, what, JSON_INDENT(1) | JSON_REAL_PRECISION(17), stream);
    json_decref(root);
    return status;
}
