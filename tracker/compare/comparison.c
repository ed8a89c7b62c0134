#include "tracker/compare/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *ms_comparison_at_name(ms_comparison_at at) {
    static const char *const names[MS_AT_KINDS] = {"step", "tokens", "loss"};
    return names[at];
}

/* --- where --- */

static double lowest_loss(const ms_compared_run *run) {
    double lowest = NAN;
    for (size_t i = 0; i < run->loss.n; i++) lowest = fmin(lowest, run->loss.points[i].value);
    return lowest;
}

/* How far a run goes: the last step or tokens, or the lowest loss. */
static double reach(const ms_compared_run *run, ms_comparison_at at) {
    return at == MS_AT_LOSS ? lowest_loss(run) : at == MS_AT_STEP ? (double)run->last_step : run->last_tokens;
}

double ms_comparison_place(const ms_compared_runs *runs, ms_comparison_at at) {
    double place = NAN;
    bool any_finished = false;
    for (size_t i = 0; i < runs->n_runs; i++) any_finished |= runs->runs[i].finished;
    for (size_t i = 0; i < runs->n_runs; i++) {
        if (any_finished && !runs->runs[i].finished) continue;
        double here = reach(&runs->runs[i], at);
        place = at == MS_AT_LOSS ? fmax(place, here) : fmin(place, here);
    }
    return place;
}

bool ms_comparison_reaches(const ms_compared_run *run, ms_comparison_at at, double place) {
    return at == MS_AT_LOSS ? lowest_loss(run) <= place : reach(run, at) >= place;
}

/* The last place, not after `place`, that all of the runs that reach it have the metric at. */
static double common_place(const ms_compared_runs *runs, size_t i_metric, ms_comparison_at at, double place) {
    ms_series_axis axis = at == MS_AT_STEP ? MS_SERIES_STEPS : MS_SERIES_TOKENS;
    double common = place;
    for (size_t i = 0; i < runs->n_runs; i++) {
        const ms_series *series = &runs->runs[i].series[i_metric];
        if (series->n == 0 || !ms_comparison_reaches(&runs->runs[i], at, place)) continue;
        common = fmin(common, ms_series_place(&series->points[series->n - 1], axis));
    }
    return common;
}

/* --- rows --- */

static ms_status add_row(const ms_compared_runs *runs, const char *name, double place, ms_comparison *out) {
    ms_comparison_row *row = &out->rows[out->n_rows];
    row->values = malloc((runs->n_runs + 1) * sizeof *row->values);
    row->cells = calloc((size_t)runs->n_groups + 1, sizeof *row->cells);
    if (!row->values || !row->cells) {
        free(row->values);
        free(row->cells);
        return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for the values of %zu runs", runs->n_runs);
    }
    for (size_t i = 0; i < runs->n_runs; i++) row->values[i] = NAN;
    strcpy(row->name, name);
    row->place = place;
    out->n_rows++;
    return MS_OK;
}

static ms_status add_metric(const ms_compared_runs *runs, size_t i_metric, ms_comparison *out) {
    ms_series_axis axis = out->at == MS_AT_STEP ? MS_SERIES_STEPS : MS_SERIES_TOKENS;
    MS_TRY(add_row(runs, runs->metrics[i_metric].name, common_place(runs, i_metric, out->at, out->place), out));
    ms_comparison_row *row = &out->rows[out->n_rows - 1];
    for (size_t i = 0; i < runs->n_runs; i++)
        if (ms_comparison_reaches(&runs->runs[i], out->at, out->place))
            row->values[i] = ms_series_at(&runs->runs[i].series[i_metric], axis, row->place);
    return MS_OK;
}

bool ms_comparison_tokens_differ(const ms_compared_runs *runs) {
    double first = NAN;
    for (size_t i = 0; i < runs->n_runs; i++) {
        double rate = runs->runs[i].last_tokens / (double)runs->runs[i].last_step;
        if (isnan(first)) first = rate;
        if (isfinite(rate) && fabs(rate - first) > 1e-9 * first) return true;
    }
    return false;
}

static ms_status add_reached(const ms_compared_runs *runs, const char *name, ms_series_axis axis, ms_comparison *out) {
    MS_TRY(add_row(runs, name, out->place, out));
    for (size_t i = 0; i < runs->n_runs; i++) {
        const ms_series_point *point = ms_series_reach(&runs->runs[i].loss, out->place);
        if (point) out->rows[out->n_rows - 1].values[i] = ms_series_place(point, axis);
    }
    return MS_OK;
}

/* At the point where each run reaches the loss. */
static ms_status add_at_loss(const ms_compared_runs *runs, size_t i_metric, ms_comparison *out) {
    MS_TRY(add_row(runs, runs->metrics[i_metric].name, out->place, out));
    for (size_t i = 0; i < runs->n_runs; i++) {
        const ms_series_point *point = ms_series_reach(&runs->runs[i].loss, out->place);
        if (!point) continue;
        out->rows[out->n_rows - 1].values[i] =
            ms_series_at(&runs->runs[i].series[i_metric], MS_SERIES_STEPS, (double)point->step);
    }
    return MS_OK;
}

static ms_status add_rows(const ms_compared_runs *runs, ms_comparison *out) {
    if (isnan(out->place)) return MS_OK;
    if (out->at == MS_AT_LOSS) {
        MS_TRY(add_reached(runs, "steps to loss", MS_SERIES_STEPS, out));
        if (ms_comparison_tokens_differ(runs)) MS_TRY(add_reached(runs, "tokens to loss", MS_SERIES_TOKENS, out));
    }
    for (size_t k = 0; k < runs->n_metrics; k++) {
        bool is_loss = strcmp(runs->metrics[k].key, "loss") == 0;
        if (out->at != MS_AT_LOSS) MS_TRY(add_metric(runs, k, out));
        if (out->at == MS_AT_LOSS && !is_loss) MS_TRY(add_at_loss(runs, k, out));
    }
    return MS_OK;
}

/* --- statistics --- */

size_t ms_comparison_differences(const ms_compared_runs *runs, const double *values, int i_group, double *out) {
    size_t n = 0;
    for (size_t i = 0; i < runs->n_runs; i++) {
        if (runs->runs[i].i_group != i_group || isnan(values[i])) continue;
        for (size_t k = 0; k < runs->n_runs; k++)
            if (runs->runs[k].i_group == runs->i_baseline && runs->runs[k].seed == runs->runs[i].seed &&
                !isnan(values[k]))
                out[n++] = values[i] - values[k];
    }
    return n;
}

static ms_status fill_cell(const ms_compared_runs *runs, const ms_comparison_row *row, int i_group, double confidence,
                           double *scratch) {
    ms_comparison_cell *cell = &row->cells[i_group];
    size_t n = 0;
    for (size_t i = 0; i < runs->n_runs; i++)
        if (runs->runs[i].i_group == i_group && !isnan(row->values[i])) scratch[n++] = row->values[i];
    ms_paired_interval(scratch, n, confidence, &cell->values);
    n = i_group == runs->i_baseline ? 0 : ms_comparison_differences(runs, row->values, i_group, scratch);
    return ms_paired_test(scratch, n, confidence, &cell->difference);
}

/* Over all tests of the table. */
static ms_status correct(ms_comparison *comparison) {
    size_t n = comparison->n_rows * (size_t)comparison->n_groups;
    double *p = malloc((n + 1) * sizeof *p);
    if (!p) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu tests", n);
    for (size_t i = 0; i < n; i++) {
        p[i] = comparison->rows[i / (size_t)comparison->n_groups].cells[i % (size_t)comparison->n_groups].difference.p;
        comparison->n_tests += !isnan(p[i]);
    }
    ms_status status = ms_holm(p, n, p);
    for (size_t i = 0; i < n && status == MS_OK; i++)
        comparison->rows[i / (size_t)comparison->n_groups].cells[i % (size_t)comparison->n_groups].p_holm = p[i];
    free(p);
    return status;
}

static ms_status fill(const ms_compared_runs *runs, double confidence, ms_comparison *out) {
    double *scratch = malloc((runs->n_runs + 1) * sizeof *scratch);
    out->rows = calloc(runs->n_metrics + 2, sizeof *out->rows);
    ms_status status = scratch && out->rows
                           ? add_rows(runs, out)
                           : MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu metrics", runs->n_metrics);
    for (size_t k = 0; k < out->n_rows && status == MS_OK; k++)
        for (int g = 0; g < runs->n_groups && status == MS_OK; g++)
            status = fill_cell(runs, &out->rows[k], g, confidence, scratch);
    if (status == MS_OK) status = correct(out);
    free(scratch);
    return status;
}

ms_status ms_comparison_init(const ms_compared_runs *runs, ms_comparison_at at, double place, double confidence,
                             ms_comparison *out) {
    *out = (ms_comparison){.at = at, .place = place, .n_groups = runs->n_groups};
    ms_status status = fill(runs, confidence, out);
    if (status != MS_OK) ms_comparison_finish(out);
    return status;
}

void ms_comparison_finish(ms_comparison *comparison) {
    for (size_t i = 0; i < comparison->n_rows; i++) {
        free(comparison->rows[i].values);
        free(comparison->rows[i].cells);
    }
    free(comparison->rows);
    *comparison = (ms_comparison){0};
}
