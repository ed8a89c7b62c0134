/* JSON and CSV. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/analyze/output.h"
#include "platform/csv.h"
#include "platform/json.h"
#include "tracker/run_log.h"

/* What is printed of a list: values, and how many.  sigma_top and update_sigma are as long as was asked for. */
typedef struct list {
    const double *values;
    int n;
    double least; /* values below it are not known well enough */
} list;

static list list_of(const ms_analysis *a, const char *key, const double *values, int n, int n_top) {
    bool of_weight = strcmp(key, "sigma_top") == 0, of_update = strcmp(key, "update_sigma") == 0;
    if (!of_weight && !of_update) return (list){values, n, -INFINITY};
    const double *all = of_weight ? a->values : a->update_values;
    return (list){all, n_top < a->n_values ? n_top : a->n_values, of_update && all ? 1e-3 * all[0] : 0};
}

#define LIST_OF(key) list_of(a, #key, a->spectrum.key, a->spectrum.n_##key, n_top)

static double item_of(const list *of, int i) { return i < of->n && of->values[i] >= of->least ? of->values[i] : NAN; }

/* ---- JSON ---- */

static const char what[] = "analyze";

static ms_status set_real(json_t *line, const char *key, double value) {
    return ms_json_set(line, what, key, ms_run_log_real(value));
}

static ms_status set_list(json_t *line, const char *key, list of) {
    json_t *array = json_array();
    MS_TRY(ms_json_set(line, what, key, array));
    for (int i = 0; i < of.n; i++) MS_TRY(ms_json_append(array, what, ms_run_log_real(item_of(&of, i))));
    return MS_OK;
}

static ms_status set_index(json_t *line, const char *key, int64_t value) {
    return ms_json_set(line, what, key, value < 0 ? json_null() : json_integer(value));
}

static ms_status set_text(json_t *line, const char *key, const char *text) {
    return text ? ms_json_set_text(line, what, key, text) : ms_json_set(line, what, key, json_null());
}

/* What the line is about. */
static ms_status set_about(json_t *line, const ms_analyze_item *item) {
    char stored[160];
    const ms_part *part = &item->here.part;
    const ms_safetensor *tensor = item->here.tensor;
    MS_TRY(set_text(line, "name", tensor ? tensor->name : item->name));
    if (tensor) {
        MS_TRY(set_index(line, "layer", part->layer));
        MS_TRY(set_text(line, "projection", part->projection));
        MS_TRY(set_index(line, "expert", part->expert));
        MS_TRY(set_index(line, "rows", part->rows));
        MS_TRY(set_index(line, "cols", part->cols));
        MS_TRY(set_text(line, "dtype", tensor->dtype));
        MS_TRY(set_text(line, "stored", ms_part_text(part, tensor, stored, sizeof stored)));
        MS_TRY(set_text(line, "note", *item->note ? item->note : NULL));
    }
    return set_text(line, "error", item->error);
}

static ms_status set_figures(json_t *line, const ms_analysis *a, bool has_other, int n_top) {
    const ms_spectrum *spectrum = &a->spectrum;
#define ABOUT(key, ...)
#define LIST(key) MS_TRY(set_list(line, #key, LIST_OF(key)));
#define METRIC(key) MS_TRY(set_real(line, #key, spectrum->key));
#define LEVEL(key, ...) MS_TRY(set_real(line, #key, a->key));
#define UPDATE_LIST(key)                                                                                               \
    if (has_other) MS_TRY(set_list(line, #key, LIST_OF(key)));
#define UPDATE_METRIC(key)                                                                                             \
    if (has_other) MS_TRY(set_real(line, #key, spectrum->key));
#define UPDATE_LEVEL(key, ...)                                                                                         \
    if (has_other) MS_TRY(set_real(line, #key, a->key));
#include "tracker/analysis.def"
    return MS_OK;
}

static ms_status print_json(const ms_analyze_item *item, bool has_other, int n_top, FILE *stream) {
    json_t *line = json_object();
    ms_status status = line ? set_about(line, item) : MS_FAIL(MS_OUT_OF_MEMORY, "analyze: no memory for a line");
    if (status == MS_OK && !item->error) status = set_figures(line, &item->analysis, has_other, n_top);
    if (status == MS_OK)
        status = ms_json_print(line, "analyze: a line", JSON_COMPACT | JSON_REAL_PRECISION(17), stream);
    json_decref(line);
    return status;
}

ms_status ms_analyze_print_jsonl(const ms_analyze_plan *plan, int n_top, FILE *stream) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->items[i].is_done) MS_TRY(print_json(&plan->items[i], plan->has_other, n_top, stream));
    return MS_OK;
}

/* ---- CSV ---- */

/* The columns of a list: how many, how they begin, and what follows: their number or a percentage. */
typedef struct columns {
    const char *key, *begin;
    int n;
    const int *percent; /* NULL: numbered from 1 */
} columns;

static const int percents[] = {1, 10, 50, 90};

/* Of a key of tracker/analysis.def that is a list. */
static columns columns_of(const char *key, int n_top) {
    const columns all[] = {{"sigma_top", "sigma_", n_top, NULL},
                           {"sigma_quantiles", "sigma_q", 4, percents},
                           {"update_sigma", "update_sigma_", n_top, NULL},
                           {"update_sigma_quantiles", "update_sigma_q", 4, percents},
                           {"velocity_top", "velocity_", MS_SPECTRUM_TOP, NULL}};
    size_t i = 0;
    while (strcmp(all[i].key, key) != 0) i++;
    return all[i];
}

static void print_heading(const char *key, int n_top, ms_csv *csv) {
    char name[64];
    columns of = columns_of(key, n_top);
    for (int i = 0; i < of.n; i++) {
        snprintf(name, sizeof name, "%s%d", of.begin, of.percent ? of.percent[i] : i + 1);
        ms_csv_text(csv, name);
    }
}

static void print_list(columns are, list of, ms_csv *csv) {
    for (int i = 0; i < are.n; i++) ms_csv_real(csv, item_of(&of, i), 17);
}

static void print_headings(bool has_other, int n_top, ms_csv *csv) {
    static const char *const about[] = {"name", "layer", "projection", "expert", "rows",
                                        "cols", "dtype", "stored",     "note",   "error"};
    for (size_t i = 0; i < sizeof about / sizeof *about; i++) ms_csv_text(csv, about[i]);
#define ABOUT(key, ...)
#define LIST(key) print_heading(#key, n_top, csv);
#define METRIC(key) ms_csv_text(csv, #key);
#define LEVEL(key, ...) ms_csv_text(csv, #key);
#define UPDATE_LIST(key)                                                                                               \
    if (has_other) print_heading(#key, n_top, csv);
#define UPDATE_METRIC(key)                                                                                             \
    if (has_other) ms_csv_text(csv, #key);
#define UPDATE_LEVEL(key, ...)                                                                                         \
    if (has_other) ms_csv_text(csv, #key);
#include "tracker/analysis.def"
    ms_csv_end(csv);
}

static void print_index(int64_t value, ms_csv *csv) {
    if (value >= 0)
        ms_csv_integer(csv, value);
    else
        ms_csv_empty(csv, 1);
}

static void print_about(const ms_analyze_item *item, ms_csv *csv) {
    char stored[160];
    const ms_part *part = &item->here.part;
    const ms_safetensor *tensor = item->here.tensor;
    ms_csv_text(csv, tensor ? tensor->name : item->name);
    if (!tensor) {
        ms_csv_empty(csv, 8);
        ms_csv_text(csv, item->error);
        return;
    }
    print_index(part->layer, csv);
    ms_csv_text(csv, part->projection);
    print_index(part->expert, csv);
    ms_csv_integer(csv, part->rows);
    ms_csv_integer(csv, part->cols);
    ms_csv_text(csv, tensor->dtype);
    ms_csv_text(csv, ms_part_text(part, tensor, stored, sizeof stored));
    ms_csv_text(csv, item->note);
    ms_csv_text(csv, item->error);
}

/* A line with an error has empty columns from there on. */
static void print_figures(const ms_analysis *a, bool has_other, int n_top, ms_csv *csv) {
    const ms_spectrum *spectrum = &a->spectrum;
#define ABOUT(key, ...)
#define LIST(key) print_list(columns_of(#key, n_top), LIST_OF(key), csv);
#define METRIC(key) ms_csv_real(csv, spectrum->key, 17);
#define LEVEL(key, ...) ms_csv_real(csv, a->key, 17);
#define UPDATE_LIST(key)                                                                                               \
    if (has_other) print_list(columns_of(#key, n_top), LIST_OF(key), csv);
#define UPDATE_METRIC(key)                                                                                             \
    if (has_other) ms_csv_real(csv, spectrum->key, 17);
#define UPDATE_LEVEL(key, ...)                                                                                         \
    if (has_other) ms_csv_real(csv, a->key, 17);
#include "tracker/analysis.def"
}

ms_status ms_analyze_print_csv(const ms_analyze_plan *plan, int n_top, FILE *stream) {
    ms_csv csv = {stream, 0};
    print_headings(plan->has_other, n_top, &csv);
    for (size_t i = 0; i < plan->n; i++) {
        const ms_analyze_item *item = &plan->items[i];
        if (!item->is_done) continue;
        print_about(item, &csv);
        ms_analysis none;
        if (item->error) ms_analysis_clear(&none);
        print_figures(item->error ? &none : &item->analysis, plan->has_other, n_top, &csv);
        ms_csv_end(&csv);
    }
    return MS_OK;
}
