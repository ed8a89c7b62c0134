/* Several runs as one, whose layers are the runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/plot/plot_data.h"

/* --- runs that can be drawn in one picture --- */

static ms_status check_projections(const ms_plot_data *a, const ms_plot_data *b, const char *name_a,
                                   const char *name_b) {
    bool same = a->n_projections == b->n_projections;
    for (int p = 0; p < a->n_projections && same; p++) same = strcmp(a->projections[p], b->projections[p]) == 0;
    if (same) return MS_OK;
    char lists[2][MS_PLOT_PROJECTIONS * (MS_PLOT_NAME_SIZE + 2)] = {"", ""};
    const ms_plot_data *both[2] = {a, b};
    for (int k = 0; k < 2; k++)
        for (int p = 0; p < both[k]->n_projections; p++) {
            if (p) strcat(lists[k], ", ");
            strcat(lists[k], both[k]->projections[p]);
        }
    return MS_FAIL(MS_INVALID, "--runs: %s has the projections %s, %s has %s: choose with --projections what both have",
                   name_a, lists[0], name_b, lists[1]);
}

static ms_status check_layers(const ms_plot_data *a, const ms_plot_data *b, const char *name_a, const char *name_b) {
    if (a->n_layers == b->n_layers && memcmp(a->layers, b->layers, (size_t)a->n_layers * sizeof *a->layers) == 0)
        return MS_OK;
    return MS_FAIL(MS_INVALID, "--runs: %s has %d layers, %s has %d: choose with --layers what both have", name_a,
                   a->n_layers, name_b, b->n_layers);
}

/* Of the first matrix of each projection: all its matrices have one shape. */
static ms_status check_shapes(const ms_plot_data *a, const ms_plot_data *b, const char *name_a, const char *name_b) {
    for (size_t i = 0; i < a->n_matrices && i < b->n_matrices; i++) {
        const ms_plot_spectrum *of_a = &a->spectra[i], *of_b = &b->spectra[i];
        double rows[2] = {of_a->values[MS_PLOT_rows], of_b->values[MS_PLOT_rows]};
        double cols[2] = {of_a->values[MS_PLOT_cols], of_b->values[MS_PLOT_cols]};
        if (of_a->i_projection != of_b->i_projection || of_a->layer != of_b->layer || isnan(rows[0] + rows[1]) ||
            isnan(cols[0] + cols[1]) || (rows[0] == rows[1] && cols[0] == cols[1]))
            continue;
        return MS_FAIL(
            MS_INVALID,
            "--runs: %s of layer %d is %g x %g in %s and %g x %g in %s: chance and norms go by the shape, only "
            "losses can be drawn (--only loss)",
            a->projections[of_a->i_projection], of_a->layer, rows[0], cols[0], name_a, rows[1], cols[1], name_b);
    }
    return MS_OK;
}

static ms_status check_spectra(const ms_plot_data *runs, const char *const *names, int n) {
    for (int r = 0; r < n; r++)
        if ((runs[0].n_spectra == 0) != (runs[r].n_spectra == 0))
            return MS_FAIL(MS_INVALID, "--runs: %s has spectra, %s has none: only losses can be drawn (--only loss)",
                           names[runs[0].n_spectra ? 0 : r], names[runs[0].n_spectra ? r : 0]);
    for (int r = 1; r < n && runs[0].n_spectra > 0; r++) {
        MS_TRY(check_projections(&runs[0], &runs[r], names[0], names[r]));
        MS_TRY(check_layers(&runs[0], &runs[r], names[0], names[r]));
        MS_TRY(check_shapes(&runs[0], &runs[r], names[0], names[r]));
    }
    return MS_OK;
}

/* --- means over layers --- */

/* The lines of one snapshot are [begin, end). */
static size_t snapshot_end(const ms_plot_data *run, size_t begin) {
    size_t end = begin;
    while (end < run->n_spectra && run->spectra[end].step == run->spectra[begin].step) end++;
    return end;
}

/* Over the layers that have the key; NaN: none has. */
static ms_plot_spectrum mean_of(const ms_plot_data *run, size_t begin, size_t end, int p) {
    ms_plot_spectrum mean = {.step = run->spectra[begin].step, .tokens = run->spectra[begin].tokens, .i_projection = p};
    for (int key = 0; key < MS_PLOT_N_KEYS; key++) {
        double sum = 0;
        int n = 0;
        for (size_t i = begin; i < end; i++) {
            double value = run->spectra[i].values[key];
            if (run->spectra[i].i_projection == p && isfinite(value)) sum += value, n++;
        }
        mean.values[key] = n > 0 ? sum / n : NAN;
    }
    return mean;
}

/* The first snapshots of all runs come first: they say which series there are. */
static void add_means(const ms_plot_data *runs, int n, bool first, ms_plot_data *out) {
    for (int r = 0; r < n; r++) {
        const ms_plot_data *run = &runs[r];
        size_t begin = first || run->n_spectra == 0 ? 0 : snapshot_end(run, 0);
        for (size_t end; begin < run->n_spectra; begin = end) {
            end = snapshot_end(run, begin);
            for (int p = 0; p < run->n_projections; p++) {
                ms_plot_spectrum mean = mean_of(run, begin, end, p);
                mean.layer = r;
                out->spectra[out->n_spectra++] = mean;
            }
            if (first) break;
        }
    }
    if (first) out->n_matrices = out->n_spectra;
}

static ms_status make_means(const ms_plot_data *runs, int n, ms_plot_data *out) {
    size_t n_most = 1;
    for (int r = 0; r < n; r++) n_most += runs[r].n_spectra * (size_t)(runs[r].n_projections + 1);
    out->spectra = calloc(n_most, sizeof *out->spectra);
    out->layers = malloc((size_t)n * sizeof *out->layers);
    if (!out->spectra || !out->layers) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: no memory for %d runs", n);
    for (int r = 0; r < n; r++) out->layers[r] = r;
    out->n_layers = n;
    out->n_projections = runs[0].n_projections;
    memcpy(out->projections, runs[0].projections, sizeof out->projections);
    add_means(runs, n, true, out);
    add_means(runs, n, false, out);
    int n_layers = runs[0].n_layers;
    if (n_layers == 1)
        snprintf(out->averaged, sizeof out->averaged, "; layer %d", runs[0].layers[0]);
    else if (n_layers > 0 && runs[0].layers[n_layers - 1] - runs[0].layers[0] == n_layers - 1)
        snprintf(out->averaged, sizeof out->averaged, "; mean of layers %d to %d", runs[0].layers[0],
                 runs[0].layers[n_layers - 1]);
    else if (n_layers > 0)
        snprintf(out->averaged, sizeof out->averaged, "; mean of %d layers", n_layers);
    return MS_OK;
}

/* --- losses, and tokens --- */

static ms_status copy(const ms_plot_loss *list, size_t n, ms_plot_loss **out, size_t *out_n) {
    *out = malloc((n + 1) * sizeof **out);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: no memory for %zu losses", n);
    if (n > 0) memcpy(*out, list, n * sizeof **out);
    *out_n = n;
    return MS_OK;
}

/* Those of the last line up to a step. */
static double tokens_at(const ms_plot_data *run, int64_t step) {
    double tokens = 0;
    for (size_t i = 0; i < run->n_training && run->training[i].step <= step; i++)
        tokens = (double)run->training[i].tokens;
    return tokens;
}

static bool have_unlike_tokens(const ms_plot_data *runs, int n) {
    int64_t step = INT64_MAX;
    for (int r = 0; r < n; r++) {
        int64_t last = runs[r].n_training ? runs[r].training[runs[r].n_training - 1].step : 0;
        step = last < step ? last : step;
    }
    for (int r = 1; r < n; r++)
        if (fabs(tokens_at(&runs[r], step) - tokens_at(&runs[0], step)) > 0.001 * tokens_at(&runs[0], step))
            return true;
    return false;
}

ms_status ms_plot_data_overlay(const ms_plot_data *runs, const char *const *names, int n, ms_plot_data *out) {
    memset(out, 0, sizeof *out);
    MS_TRY(check_spectra(runs, names, n));
    ms_status status = make_means(runs, n, out);
    /* The axis of tokens is that of the run with the most steps. */
    const ms_plot_data *longest = &runs[0];
    for (int r = 1; r < n; r++)
        if (runs[r].n_training > longest->n_training) longest = &runs[r];
    if (status == MS_OK) status = copy(longest->training, longest->n_training, &out->training, &out->n_training);
    if (status == MS_OK)
        status = copy(longest->validation, longest->n_validation, &out->validation, &out->n_validation);
    out->runs = runs;
    out->run_names = names;
    out->unlike_tokens = have_unlike_tokens(runs, n);
    if (status != MS_OK) ms_plot_data_finish(out);
    return status;
}
