#include "tracker/compare/series.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/selection.h"

/* --- the line of one file, as it is read --- */

/* The numbers of one step of one metric. */
struct sum {
    int64_t step;
    double tokens, sum;
    int n_values, n_lines;
};

/* One metric while its file is read. */
struct gathering {
    const ms_series_metric *metric;
    struct sum *steps; /* [n] */
    size_t n, capacity;
};

struct reading {
    const char *file;
    struct gathering *metrics; /* [n] of all files */
    size_t n;
    ms_selection *selection;
};

static ms_status begin_step(struct gathering *gathering, const ms_run_line *line) {
    if (gathering->n > 0 && gathering->steps[gathering->n - 1].step == line->step) return MS_OK;
    if (gathering->n == gathering->capacity) {
        size_t capacity = gathering->capacity ? 2 * gathering->capacity : 256;
        struct sum *larger = realloc(gathering->steps, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu steps", capacity);
        gathering->steps = larger;
        gathering->capacity = capacity;
    }
    gathering->steps[gathering->n++] = (struct sum){line->step, line->tokens, 0, 0, 0};
    return MS_OK;
}

static void add_number(struct sum *sum, const json_t *value) {
    if (!json_is_number(value) || !isfinite(json_number_value(value))) return;
    sum->sum += json_number_value(value);
    sum->n_values++;
}

/* The number; the entry of an array, or of each of its arrays; or all of them. */
static void add_value(struct sum *sum, const json_t *value, int entry) {
    size_t i;
    json_t *item;
    bool nested = json_is_array(json_array_get(value, 0));
    sum->n_lines++;
    if (!json_is_array(value))
        add_number(sum, value);
    else if (entry >= 0 && !nested)
        add_number(sum, json_array_get(value, (size_t)entry));
    else
        json_array_foreach(value, i, item) add_number(sum, nested ? json_array_get(item, (size_t)entry) : item);
}

/* {"q": [...], ...}: a number for each layer. */
static void add_matrices(struct sum *sum, json_t *value, ms_selection *selection) {
    const char *projection;
    json_t *list, *item;
    size_t layer;
    sum->n_lines++;
    json_object_foreach(value, projection, list)
        json_array_foreach(list, layer, item) if (ms_selection_has(selection, (int64_t)layer, projection))
            add_number(sum, item);
}

static ms_status read_line(void *context, const ms_run_line *line) {
    struct reading *reading = context;
    const json_t *layer = json_object_get(line->object, "layer");
    const char *projection = json_string_value(json_object_get(line->object, "projection"));
    bool chosen =
        ms_selection_has(reading->selection, json_is_integer(layer) ? json_integer_value(layer) : -1, projection);
    for (size_t i = 0; i < reading->n && chosen; i++) {
        struct gathering *gathering = &reading->metrics[i];
        json_t *value = json_object_get(line->object, gathering->metric->key);
        if (strcmp(gathering->metric->file, reading->file) != 0 || !value) continue;
        MS_TRY(begin_step(gathering, line));
        if (json_is_object(value))
            add_matrices(&gathering->steps[gathering->n - 1], value, reading->selection);
        else
            add_value(&gathering->steps[gathering->n - 1], value, gathering->metric->entry);
    }
    return MS_OK;
}

/* Steps with all their lines become points. */
static ms_status make_series(const struct gathering *gathering, ms_series *out) {
    int most_lines = 0;
    out->points = calloc(gathering->n + 1, sizeof *out->points);
    if (!out->points) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu steps", gathering->n);
    for (size_t i = 0; i < gathering->n; i++) {
        const struct sum *step = &gathering->steps[i];
        most_lines = step->n_lines > most_lines ? step->n_lines : most_lines;
        out->n_averaged = step->n_values > out->n_averaged ? step->n_values : out->n_averaged;
    }
    for (size_t i = 0; i < gathering->n; i++) {
        const struct sum *step = &gathering->steps[i];
        if (step->n_lines < most_lines) {
            out->n_dropped++;
        } else if (step->n_values > 0) {
            out->n_partial += step->n_values < out->n_averaged;
            out->points[out->n++] = (ms_series_point){step->step, step->tokens, step->sum / step->n_values};
        }
    }
    return MS_OK;
}

/* Whether a metric of this file is the first of it among the metrics. */
static bool is_first_of_file(const ms_series_metric *metrics, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(metrics[k].file, metrics[i].file) == 0) return false;
    return true;
}

static ms_status read_all(const char *folder, const ms_series_metric *metrics, struct reading *reading, ms_series *out,
                          ms_run_line_faults *faults) {
    bool chooses = false;
    for (size_t i = 0; i < reading->n; i++) {
        reading->metrics[i].metric = &metrics[i];
        chooses |= metrics[i].by_layer;
    }
    for (size_t i = 0; i < reading->n; i++) {
        reading->file = metrics[i].file;
        if (is_first_of_file(metrics, i))
            MS_TRY(ms_run_lines_read(folder, metrics[i].file, read_line, reading, faults));
    }
    if (chooses) MS_TRY(ms_selection_check(reading->selection));
    for (size_t i = 0; i < reading->n; i++) MS_TRY(make_series(&reading->metrics[i], &out[i]));
    return MS_OK;
}

ms_status ms_series_read(const char *folder, const ms_series_metric *metrics, size_t n,
                         const ms_series_selection *selection, ms_series *out, ms_run_line_faults *out_faults) {
    ms_selection chosen;
    memset(out, 0, n * sizeof *out);
    memset(out_faults, 0, sizeof *out_faults);
    MS_TRY(ms_selection_parse(selection->layers, selection->projections, &chosen));
    struct reading reading = {.metrics = calloc(n + 1, sizeof *reading.metrics), .n = n, .selection = &chosen};
    if (!reading.metrics) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu metrics", n);
    ms_status status = read_all(folder, metrics, &reading, out, out_faults);
    for (size_t i = 0; i < n; i++) {
        free(reading.metrics[i].steps);
        if (status != MS_OK) ms_series_finish(&out[i]);
    }
    free(reading.metrics);
    return status;
}

void ms_series_finish(ms_series *series) {
    free(series->points);
    *series = (ms_series){0};
}

/* --- what is asked of it --- */

double ms_series_place(const ms_series_point *point, ms_series_axis axis) {
    return axis == MS_SERIES_STEPS ? (double)point->step : point->tokens;
}

double ms_series_at(const ms_series *series, ms_series_axis axis, double place) {
    size_t low = 0, high = series->n; /* the first point that is not before the place */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ms_series_place(&series->points[middle], axis) < place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == series->n) return NAN;
    const ms_series_point *after = &series->points[low];
    double end = ms_series_place(after, axis);
    if (end == place) return after->value;
    if (low == 0) return NAN;
    const ms_series_point *before = after - 1;
    double begin = ms_series_place(before, axis);
    return before->value + (place - begin) / (end - begin) * (after->value - before->value);
}

ms_status ms_series_smooth(ms_series *series, double tokens) {
    size_t n = 0, begin = 0;
    double *sums = malloc((series->n + 1) * sizeof *sums); /* of the values before each point */
    ms_series_point *points = malloc((series->n + 1) * sizeof *points);
    if (!sums || !points) {
        free(sums);
        free(points);
        return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory to smooth %zu steps", series->n);
    }
    sums[0] = 0;
    for (size_t i = 0; i < series->n; i++) {
        double end = series->points[i].tokens;
        sums[i + 1] = sums[i] + series->points[i].value;
        if (end < tokens) continue;
        while (begin < i && series->points[begin].tokens <= end - tokens) begin++;
        points[n] = series->points[i];
        points[n++].value = (sums[i + 1] - sums[begin]) / (double)(i + 1 - begin);
    }
    free(series->points);
    free(sums);
    series->points = points;
    series->n = n;
    return MS_OK;
}

const ms_series_point *ms_series_reach(const ms_series *series, double level) {
    for (size_t i = 0; i < series->n; i++)
        if (series->points[i].value <= level) return &series->points[i];
    return NULL;
}
