#include "tracker/compare/measure.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/selection.h"

/* --- quantities --- */

enum { LOG_OVER_NULL, ALIGNMENT_EXCESS, RELATIVE_GROWTH, N_DERIVED };

static const char *const derived_names[N_DERIVED + 1] = {"log_over_null", "alignment_excess", "relative_growth"};
static const char *const derived_formulas[N_DERIVED] = {
    "ln(sigma_max / noise_null)", "(alignment_left - alignment_random + alignment_right - alignment_random_right) / 2",
    "growth / (sigma_max - growth)"};

const char *ms_quantity_derived_name(int i) { return derived_names[i]; }

ms_status ms_quantity_find(const char *name, ms_quantity *out) {
    *out = (ms_quantity){.derived = -1};
    for (int i = 0; i < N_DERIVED; i++)
        if (strcmp(name, derived_names[i]) == 0) out->derived = i;
    MS_TRY(ms_series_metric_find(out->derived < 0 ? name : "spectra.sigma_max", &out->metric));
    if (strcmp(out->metric.file, "sigma_max.jsonl") == 0)
        return MS_FAIL(MS_USAGE, "'%s': lines of sigma_max.jsonl are of all matrices at once: take sigma_max", name);
    snprintf(out->metric.name, sizeof out->metric.name, "%s", name);
    out->is_change = out->derived == RELATIVE_GROWTH || strcmp(out->metric.key, "growth") == 0;
    return MS_OK;
}

static double number(const json_t *value) { return json_is_number(value) ? json_number_value(value) : NAN; }

static double key(const json_t *line, const char *name) { return number(json_object_get(line, name)); }

static double derive(int derived, const json_t *line) {
    double s1 = key(line, "sigma_max"), growth = key(line, "growth");
    switch (derived) {
    case LOG_OVER_NULL:
        return log(s1 / key(line, "noise_null"));
    case ALIGNMENT_EXCESS:
        return (key(line, "alignment_left") - key(line, "alignment_random") + key(line, "alignment_right") -
                key(line, "alignment_random_right")) /
               2;
    default:
        return growth / (s1 - growth);
    }
}

/* The number; the entry of an array, or of each of its arrays; or the mean of all. */
static double take(const ms_quantity *quantity, const json_t *line) {
    const json_t *value = json_object_get(line, quantity->metric.key), *first = json_array_get(value, 0);
    int entry = quantity->metric.entry;
    if (quantity->derived >= 0) return derive(quantity->derived, line);
    if (!json_is_array(value)) return number(value);
    if (entry >= 0 && !json_is_array(first)) return number(json_array_get(value, (size_t)entry));
    double sum = 0;
    size_t i, n = json_array_size(value);
    json_t *item;
    json_array_foreach(value, i, item) sum += number(entry >= 0 ? json_array_get(item, (size_t)entry) : item);
    return n > 0 ? sum / (double)n : NAN;
}

/* --- the lines of a run --- */

enum { PROJECTION_SIZE = 16 };

/* One line.  layer -1, projection "": it is of no layer, of no matrix. */
struct sample {
    int64_t step, layer;
    char projection[PROJECTION_SIZE];
    double of, with;
};

struct samples {
    const ms_measure *measure;
    ms_selection selection;
    struct sample *items; /* [n] in the order of the file */
    size_t n, capacity;
};

static ms_status read_line(struct samples *samples, const ms_run_line *line) {
    const ms_measure *measure = samples->measure;
    const json_t *layer = json_object_get(line->object, "layer");
    const char *projection = json_string_value(json_object_get(line->object, "projection"));
    struct sample sample = {line->step, json_is_integer(layer) ? json_integer_value(layer) : -1, "", NAN, NAN};
    if (!ms_selection_has(&samples->selection, sample.layer, projection)) return MS_OK;
    if (!json_object_get(line->object, measure->of.metric.key)) return MS_OK;
    if (projection) snprintf(sample.projection, sizeof sample.projection, "%s", projection);
    sample.of = take(&measure->of, line->object);
    if (measure->kind == MS_MEASURE_DIFFERENCE_CORRELATION) sample.with = take(&measure->with, line->object);
    if (samples->n == samples->capacity) {
        size_t capacity = samples->capacity ? 2 * samples->capacity : 512;
        struct sample *larger = realloc(samples->items, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %zu lines", capacity);
        samples->items = larger;
        samples->capacity = capacity;
    }
    samples->items[samples->n++] = sample;
    return MS_OK;
}

/* All measures, while one file is read. */
struct reading {
    struct samples *samples; /* [n] */
    size_t n;
    const char *file;
};

static ms_status read_all(void *context, const ms_run_line *line) {
    struct reading *reading = context;
    for (size_t i = 0; i < reading->n; i++)
        if (strcmp(reading->samples[i].measure->of.metric.file, reading->file) == 0)
            MS_TRY(read_line(&reading->samples[i], line));
    return MS_OK;
}

static void say_null(const struct sample *sample, const ms_quantity *quantity, ms_measured *out) {
    char where[64] = "";
    if (sample->layer >= 0)
        snprintf(where, sizeof where, ", layer %lld%s%s", (long long)sample->layer, *sample->projection ? " " : "",
                 sample->projection);
    snprintf(out->why, sizeof out->why, "%s is null at step %lld%s", quantity->metric.name, (long long)sample->step,
             where);
}

/* --- the last snapshot --- */

/* Its lines: the same number as in the snapshot before, or it was cut. */
static bool last_snapshot(const struct samples *samples, const struct sample **out, size_t *out_n,
                          ms_measured *result) {
    size_t begin = samples->n, n_before = 0;
    while (begin > 0 && samples->items[begin - 1].step == result->step) begin--;
    *out = &samples->items[begin];
    *out_n = samples->n - begin;
    for (size_t i = begin; i > 0 && samples->items[i - 1].step == samples->items[begin - 1].step; i--) n_before++;
    for (size_t i = 0; i < *out_n; i++) {
        if (isfinite((*out)[i].of)) continue;
        say_null(&(*out)[i], &samples->measure->of, result);
        return false;
    }
    if (*out_n >= n_before) return true;
    snprintf(result->why, sizeof result->why, "the snapshot of step %lld has %zu lines, the one before %zu",
             (long long)result->step, *out_n, n_before);
    return false;
}

static double mean(const struct sample *lines, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += lines[i].of;
    return sum / (double)n;
}

/* Mean over the lines of one layer; NaN: it has none. */
static double layer_mean(const struct sample *lines, size_t n, int64_t layer) {
    double sum = 0;
    size_t n_lines = 0;
    for (size_t i = 0; i < n; i++) {
        if (lines[i].layer != layer) continue;
        sum += lines[i].of;
        n_lines++;
    }
    return sum / (double)n_lines;
}

static bool is_first_of_layer(const struct sample *lines, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (lines[k].layer == lines[i].layer) return false;
    return true;
}

static double depth_slope(const struct sample *lines, size_t n, ms_measured *out) {
    double n_layers = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_first_of_layer(lines, i)) continue;
        double value = layer_mean(lines, n, lines[i].layer), layer = (double)lines[i].layer;
        n_layers++;
        x += layer;
        y += value;
        xx += layer * layer;
        xy += layer * value;
    }
    if (n_layers < 2) {
        snprintf(out->why, sizeof out->why, "a slope needs 2 layers, it has %g", n_layers);
        return NAN;
    }
    return (xy - x * y / n_layers) / (xx - x * x / n_layers);
}

/* Mean over the lines of one projection.  Both are in every layer, so that the difference of means is the mean of
   differences; else the run has no number. */
static double projection_difference(const struct sample *lines, size_t n, const ms_selection *pair, ms_measured *out) {
    double sums[2] = {0, 0};
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        int k = strncmp(lines[i].projection, pair->projections[0].text, pair->projections[0].length) != 0 ||
                lines[i].projection[pair->projections[0].length] != '\0';
        sums[k] += lines[i].of;
        counts[k]++;
    }
    if (counts[0] != counts[1] || counts[0] == 0) {
        snprintf(out->why, sizeof out->why, "%zu layers have the first projection and %zu the second", counts[0],
                 counts[1]);
        return NAN;
    }
    return (sums[0] - sums[1]) / (double)counts[0];
}

/* --- over the snapshots --- */

static bool same_matrix(const struct sample *a, const struct sample *b) {
    return a->layer == b->layer && strcmp(a->projection, b->projection) == 0;
}

/* Sums for Pearson's r. */
struct moments {
    double n, x, y, xx, yy, xy;
};

static double correlation(const struct moments *m) {
    double xx = m->xx - m->x * m->x / m->n, yy = m->yy - m->y * m->y / m->n, xy = m->xy - m->x * m->y / m->n;
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* r of one matrix, that of the sample `first`, which is its first. */
static double matrix_correlation(const struct samples *samples, size_t first, ms_measured *out) {
    const ms_measure *measure = samples->measure;
    const struct sample *before = NULL;
    struct moments moments = {0};
    for (size_t i = first; i < samples->n; i++) {
        const struct sample *now = &samples->items[i];
        if (!same_matrix(now, &samples->items[first]) || now->step < measure->from) continue;
        bool has_of = isfinite(now->of) || (!before && measure->of.is_change); /* the first change is of before */
        bool has_with = isfinite(now->with) || (!before && measure->with.is_change);
        if (!has_of || !has_with) {
            say_null(now, has_of ? &measure->with : &measure->of, out);
            return NAN;
        }
        if (before) {
            double x = now->of - (measure->of.is_change ? 0 : before->of);
            double y = now->with - (measure->with.is_change ? 0 : before->with);
            moments = (struct moments){moments.n + 1,      moments.x + x,      moments.y + y,
                                       moments.xx + x * x, moments.yy + y * y, moments.xy + x * y};
        }
        before = now;
    }
    double r = moments.n >= 3 ? correlation(&moments) : NAN;
    if (isnan(r))
        snprintf(out->why, sizeof out->why, "layer %lld %s: no correlation of %g differences",
                 (long long)samples->items[first].layer, samples->items[first].projection, moments.n);
    return r;
}

static double difference_correlation(const struct samples *samples, ms_measured *out) {
    double sum = 0, n_matrices = 0;
    for (size_t i = 0; i < samples->n; i++) {
        bool is_first = true;
        for (size_t k = 0; k < i && samples->items[k].step <= samples->items[0].step && is_first; k++)
            is_first = !same_matrix(&samples->items[k], &samples->items[i]);
        if (samples->items[i].step > samples->items[0].step) break; /* every matrix is in the first snapshot */
        if (!is_first) continue;
        double r = matrix_correlation(samples, i, out);
        if (isnan(r)) return NAN;
        sum += r;
        n_matrices++;
    }
    return sum / n_matrices;
}

/* --- measures --- */

const char *ms_measure_kind_name(ms_measure_kind kind) {
    static const char *const names[MS_MEASURE_KINDS] = {"last", "depth_slope", "projection_difference",
                                                        "difference_correlation"};
    return names[kind];
}

ms_status ms_measure_check(const ms_measure *measure) {
    ms_selection selection;
    const char *name = ms_measure_kind_name(measure->kind);
    MS_TRY(ms_selection_parse(measure->layers, measure->projections, &selection));
    bool correlates = measure->kind == MS_MEASURE_DIFFERENCE_CORRELATION;
    if (correlates != (measure->with.metric.key != NULL))
        return MS_FAIL(MS_INVALID, "%s %s", name, correlates ? "needs a second quantity, `with`" : "takes no `with`");
    if (measure->from != 0 && !correlates) return MS_FAIL(MS_INVALID, "%s takes no `from`", name);
    if (correlates && strcmp(measure->of.metric.file, measure->with.metric.file) != 0)
        return MS_FAIL(MS_INVALID, "%s: %s and %s are in different files", name, measure->of.metric.name,
                       measure->with.metric.name);
    bool by_layer = measure->of.metric.by_layer, by_projection = measure->of.metric.by_projection;
    if (measure->kind != MS_MEASURE_LAST && !by_layer)
        return MS_FAIL(MS_INVALID, "%s: lines with %s are of no layer", name, measure->of.metric.name);
    if (measure->kind == MS_MEASURE_PROJECTION_DIFFERENCE && (!by_projection || selection.n_projections != 2))
        return MS_FAIL(MS_INVALID, "%s takes a quantity of matrices and exactly two `projections`, such as q,v", name);
    if ((measure->layers && !by_layer) || (measure->projections && !by_projection))
        return MS_FAIL(MS_INVALID, "%s: lines with %s are of no %s", name, measure->of.metric.name,
                       measure->layers && !by_layer ? "layer" : "projection");
    return MS_OK;
}

/* "sigma_max", or the formula of what is derived. */
static const char *formula(const ms_quantity *quantity) {
    return quantity->derived < 0 ? quantity->metric.name : derived_formulas[quantity->derived];
}

const char *ms_measure_formula(const ms_measure *measure, char *out, size_t size) {
    const char *layers = measure->layers ? measure->layers : "all layers";
    const char *projections = measure->projections ? measure->projections : "all projections";
    const char *of = formula(&measure->of), *d_of = measure->of.is_change ? "" : "change of ";
    switch (measure->kind) {
    case MS_MEASURE_LAST:
        snprintf(out, size, "%s, the last%s%s%s%s%s", of, measure->of.metric.by_layer ? "; mean over " : "",
                 measure->of.metric.by_layer ? layers : "", measure->of.metric.by_projection ? " and " : "",
                 measure->of.metric.by_projection ? projections : "", "");
        break;
    case MS_MEASURE_DEPTH_SLOPE:
        snprintf(out, size, "least-squares slope per layer (%s) of %s, the last%s%s", layers, of,
                 measure->of.metric.by_projection ? ", mean over " : "",
                 measure->of.metric.by_projection ? projections : "");
        break;
    case MS_MEASURE_PROJECTION_DIFFERENCE:
        snprintf(out, size, "%s, the last; first minus second of %s, mean over %s", of, projections, layers);
        break;
    default:
        snprintf(out, size,
                 "Pearson's r, over the snapshots of a matrix from step %lld on, of %s%s and %s%s; mean over %s and %s",
                 (long long)measure->from, d_of, of, measure->with.is_change ? "" : "change of ",
                 formula(&measure->with), layers, projections);
    }
    return out;
}

static void compute(const struct samples *samples, ms_measured *out) {
    const struct sample *lines;
    size_t n;
    if (samples->n == 0) {
        snprintf(out->why, sizeof out->why, "%s has no line with %s", samples->measure->of.metric.file,
                 samples->measure->of.metric.name);
        return;
    }
    out->step = samples->items[samples->n - 1].step;
    if (samples->measure->kind == MS_MEASURE_DIFFERENCE_CORRELATION) {
        out->value = difference_correlation(samples, out);
        return;
    }
    if (!last_snapshot(samples, &lines, &n, out)) return;
    if (samples->measure->kind == MS_MEASURE_LAST) out->value = mean(lines, n);
    if (samples->measure->kind == MS_MEASURE_DEPTH_SLOPE) out->value = depth_slope(lines, n, out);
    if (samples->measure->kind == MS_MEASURE_PROJECTION_DIFFERENCE)
        out->value = projection_difference(lines, n, &samples->selection, out);
}

static ms_status read_files(const char *folder, struct reading *reading) {
    for (size_t i = 0; i < reading->n; i++) {
        ms_run_line_faults faults = {0};
        bool is_read = false;
        reading->file = reading->samples[i].measure->of.metric.file;
        for (size_t k = 0; k < i; k++)
            is_read |= strcmp(reading->samples[k].measure->of.metric.file, reading->file) == 0;
        if (!is_read) MS_TRY(ms_run_lines_read(folder, reading->file, read_all, reading, &faults));
    }
    return MS_OK;
}

ms_status ms_measures_take(const ms_measure *const *measures, size_t n, const char *folder, ms_measured *out) {
    struct reading reading = {calloc(n + 1, sizeof(struct samples)), n, NULL};
    if (!reading.samples) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %zu measures", n);
    ms_status status = MS_OK;
    for (size_t i = 0; i < n && status == MS_OK; i++) {
        out[i] = (ms_measured){.value = NAN, .step = -1};
        reading.samples[i].measure = measures[i];
        status = ms_selection_parse(measures[i]->layers, measures[i]->projections, &reading.samples[i].selection);
    }
    if (status == MS_OK) status = read_files(folder, &reading);
    for (size_t i = 0; i < n; i++) {
        struct samples *samples = &reading.samples[i];
        if (status == MS_OK && samples->n > 0 && ms_selection_check(&samples->selection) != MS_OK)
            snprintf(out[i].why, sizeof out[i].why, "%.*s", MS_MEASURE_WHY_SIZE - 1, ms_status_message());
        else if (status == MS_OK)
            compute(samples, &out[i]);
        free(samples->items);
    }
    free(reading.samples);
    return status;
}
