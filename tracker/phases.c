#include "tracker/phases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/change_points.h"
#include "tracker/phase_values.h"

static const struct {
    const char *name;
    bool rates;
} keys[MS_PHASE_N_KEYS] = {
#define X(key, rates) {#key, rates},
    MS_PHASE_KEYS(X)
#undef X
};

/* The values of a series where neither it nor the loss is undefined, and their steps. */
typedef struct levels {
    int n;
    double *values, *loss;
    double *steps;
} levels;

/* Differences per step in place: one value fewer, each at the step of the later. */
static void to_rates(double *values, const double *steps, int n) {
    for (int i = 0; i + 1 < n; i++) values[i] = (values[i + 1] - values[i]) / (steps[i + 1] - steps[i]);
}

static ms_status find_changes(const levels *from, double factor, ms_phase_series *out) {
    const double *values = from->values;
    const double *steps = out->rates ? from->steps + 1 : from->steps;
    ms_series_noise noise;
    MS_TRY(ms_series_noise_of(values, out->n, &noise));
    out->deviation = sqrt(noise.variance);
    out->autocorrelation = noise.autocorrelation;
    out->penalty = ms_change_penalty(&noise, out->n, factor);
    if (!isfinite(out->penalty))
        return MS_FAIL(MS_INVALID,
                       "phases: the values of \"%s\"%s%s, layer %d, are too large: their squares are not finite",
                       out->key, *out->projection ? ", " : "", out->projection, out->layer);
    out->changes = calloc((size_t)out->n, sizeof *out->changes);
    int *begins = calloc((size_t)out->n, sizeof *begins);
    ms_status status = out->changes && begins ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "phases: %d values", out->n);
    /* Without noise there is no measure of a change. */
    if (status == MS_OK && noise.variance > 0)
        status = ms_change_points(values, out->n, out->penalty, begins, &out->n_changes);
    for (int i = 0; i < out->n_changes; i++) out->changes[i] = (int64_t)steps[begins[i]];
    free(begins);
    return status;
}

static ms_status analyse_levels(levels *from, double factor, ms_phase_series *out) {
    out->n = out->rates ? from->n - 1 : from->n;
    if (out->n < MS_PHASE_LEAST) return MS_OK;
    bool is_loss = out->layer < 0;
    if (!is_loss) out->correlation_levels = ms_correlation(from->values, from->loss, from->n);
    if (!out->rates) MS_TRY(find_changes(from, factor, out));
    to_rates(from->values, from->steps, from->n);
    to_rates(from->loss, from->steps, from->n);
    if (out->rates) MS_TRY(find_changes(from, factor, out));
    if (is_loss) return MS_OK;
    out->correlation = ms_correlation(from->values, from->loss, from->n - 1);
    out->p = ms_correlation_p(from->values, from->loss, from->n - 1, (unsigned long long)out->layer);
    return MS_OK;
}

/* values [n_snapshots], NaN where undefined. */
static ms_status analyse(const ms_phase_values *run, const double *values, double factor, ms_phase_series *out) {
    size_t n = (size_t)run->n_snapshots;
    out->correlation_levels = out->correlation = out->p = NAN;
    double *memory = calloc(3 * n, sizeof *memory);
    if (!memory) return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %zu values", n);
    levels from = {0, memory, memory + n, memory + 2 * n};
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]) || !isfinite(run->loss[i])) continue;
        from.values[from.n] = values[i];
        from.loss[from.n] = run->loss[i];
        from.steps[from.n++] = (double)run->steps[i];
    }
    ms_status status = analyse_levels(&from, factor, out);
    free(memory);
    return status;
}

static ms_status analyse_all(const ms_phase_values *run, double factor, ms_phases *out) {
    out->n_snapshots = run->n_snapshots;
    if (run->n_snapshots < MS_PHASE_LEAST)
        return MS_FAIL(
            MS_NOT_FOUND,
            "%d snapshots after step 0, phases need at least %d: train longer, or with a smaller tracker.every",
            run->n_snapshots, MS_PHASE_LEAST);
    out->first_step = run->steps[0];
    out->last_step = run->steps[run->n_snapshots - 1];
    out->factor = factor;
    out->n_series = 1 + MS_PHASE_N_KEYS * run->n_matrices;
    out->series = calloc((size_t)out->n_series, sizeof *out->series);
    if (!out->series) return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %d series", out->n_series);
    out->series[0] = (ms_phase_series){.key = "loss", .rates = true, .layer = -1};
    MS_TRY(analyse(run, run->loss, factor, &out->series[0]));
    for (int k = 0; k < MS_PHASE_N_KEYS; k++)
        for (int i = 0; i < run->n_matrices; i++) {
            ms_phase_series *series = &out->series[1 + k * run->n_matrices + i];
            series->key = keys[k].name;
            series->rates = keys[k].rates;
            series->layer = run->matrices[i].layer;
            memcpy(series->projection, run->matrices[i].projection, sizeof series->projection);
            MS_TRY(analyse(run, ms_phase_values_of(run, k, i), factor, series));
        }
    return MS_OK;
}

ms_status ms_phases_init(const char *metrics_path, const char *spectra_path, double factor, ms_phases *out) {
    *out = (ms_phases){0};
    if (!(factor >= 0 && factor < INFINITY)) return MS_FAIL(MS_INVALID, "phases: penalty factor %g", factor);
    ms_phase_values values;
    MS_TRY(ms_phase_values_init(metrics_path, spectra_path, &values));
    ms_status status = analyse_all(&values, factor > 0 ? factor : MS_CHANGE_FACTOR, out);
    out->bad = values.bad;
    ms_phase_values_finish(&values);
    if (status != MS_OK) ms_phases_finish(out);
    return status;
}

void ms_phases_finish(ms_phases *phases) {
    for (int i = 0; i < phases->n_series && phases->series; i++) free(phases->series[i].changes);
    free(phases->series);
    *phases = (ms_phases){0};
}
