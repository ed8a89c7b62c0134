/* muonscope phases RUN: where the metrics of a run change, and how they move with the loss. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/json.h"
#include "platform/median.h"
#include "platform/output.h"
#include "tracker/change_points.h"
#include "tracker/phases.h"
#include "tracker/run_log.h"

struct phases_arguments {
    double penalty;
    bool json;
};

static const ms_option options[] = {
    {"penalty", MS_OPTION_FLOAT, offsetof(struct phases_arguments, penalty), NULL, "FACTOR",
     "Cost of a change: FACTOR * variance of the noise, as a sum feels it, * ln n (default: 4)"},
    {"json", MS_OPTION_FLAG, offsetof(struct phases_arguments, json), NULL, NULL, "Print JSON instead of text"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "phases",
    "RUN",
    "Finds where the metrics of a run change (PELT), and correlates their differences with those of the loss.",
    options,
    1,
    1,
    NULL,
    "Entropy and loss drift all along: their changes are those of the rate per step.  Levels of two such series\n"
    "correlate at about -1 or 1 for no reason; r and p are of first differences, p by circular shifts.\n"
    "What the penalty lets through of noise: docs/phases.md."};

/* --- text --- */

static void print_changes(const ms_phase_series *series) {
    for (int i = 0; i < series->n_changes; i++) printf("%s%lld", i ? ", " : "", (long long)series->changes[i]);
}

static void print_series(const ms_phase_series *series) {
    if (series->n_changes == 0) return;
    printf("  layer %-3d %-14s at step ", series->layer, series->projection);
    print_changes(series);
    printf("\n");
}

/* The series of a key, as one line of figures and the changes of each. */
static ms_status print_key(const ms_phase_series *series, int n) {
    double *levels = calloc((size_t)n, sizeof *levels), *differences = calloc((size_t)n, sizeof *differences);
    int n_known = 0, n_correlated = 0, n_low = 0, n_changed = 0;
    if (!levels || !differences) {
        free(levels);
        free(differences);
        return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %d series", n);
    }
    for (int i = 0; i < n; i++) {
        n_known += series[i].n >= MS_PHASE_LEAST;
        n_changed += series[i].n_changes > 0;
        if (isnan(series[i].correlation) || isnan(series[i].correlation_levels)) continue;
        levels[n_correlated] = series[i].correlation_levels;
        differences[n_correlated++] = series[i].correlation;
        n_low += series[i].p <= 0.05;
    }
    printf("\n%s%s: ", series->key, series->rates ? ", rate per step" : "");
    if (n_known == 0)
        printf("fewer than %d values in every matrix\n", MS_PHASE_LEAST);
    else
        printf("%d of %d matrices change\n", n_changed, n_known);
    if (n_correlated > 0)
        printf("  with the loss: median r %.2f of differences (p <= .05 in %d of %d; by chance %.1f); in levels %.2f\n",
               ms_median(differences, n_correlated), n_low, n_correlated, 0.05 * n_correlated,
               ms_median(levels, n_correlated));
    for (int i = 0; i < n; i++) print_series(&series[i]);
    free(levels);
    free(differences);
    return MS_OK;
}

static ms_status print_text(const ms_phases *phases, const char *run) {
    ms_print_line(stdout, "%s: %d snapshots, steps %lld to %lld; penalty %g times noise times ln n", run,
                  phases->n_snapshots, (long long)phases->first_step, (long long)phases->last_step, phases->factor);
    const ms_phase_series *loss = &phases->series[0];
    printf("\nloss, rate per step: %s", loss->n < MS_PHASE_LEAST ? "too few values"
                                        : loss->n_changes        ? "changes at step "
                                                                 : "no change");
    print_changes(loss);
    printf("\n");
    int n_matrices = (phases->n_series - 1) / MS_PHASE_N_KEYS;
    for (int k = 0; k < MS_PHASE_N_KEYS && n_matrices > 0; k++)
        MS_TRY(print_key(&phases->series[1 + k * n_matrices], n_matrices));
    printf("\nLevels of metrics that drift correlate with the loss whatever they have to do with it: read the "
           "differences.\n");
    return MS_OK;
}

/* --- JSON --- */

static const char what[] = "phases --json";

static ms_status set_real(json_t *object, const char *key, double value) {
    return ms_json_set(object, what, key, ms_run_log_real(value));
}

static ms_status add_series(const ms_phase_series *series, json_t *list) {
    json_t *object;
    bool known = series->n >= MS_PHASE_LEAST;
    MS_TRY(ms_json_pack(&object, what, "{s:s, s:s, s:i}", "key", series->key, "of", series->rates ? "rate" : "level",
                        "n", series->n));
    MS_TRY(ms_json_append(list, what, object)); /* which owns it now */
    if (series->layer >= 0) {
        MS_TRY(ms_json_set(object, what, "layer", json_integer(series->layer)));
        MS_TRY(ms_json_set_text(object, what, "projection", series->projection));
    }
    json_t *changes = known ? json_array() : json_null();
    MS_TRY(ms_json_set(object, what, "changes", changes));
    for (int i = 0; i < series->n_changes; i++)
        MS_TRY(ms_json_append(changes, what, json_integer((json_int_t)series->changes[i])));
    MS_TRY(set_real(object, "noise", known ? series->deviation : NAN));
    MS_TRY(set_real(object, "autocorrelation", known ? series->autocorrelation : NAN));
    MS_TRY(set_real(object, "penalty", known ? series->penalty : NAN));
    if (series->layer < 0) return MS_OK;
    MS_TRY(set_real(object, "correlation", series->correlation));
    MS_TRY(set_real(object, "p", series->p));
    return set_real(object, "correlation_levels", series->correlation_levels);
}

static ms_status print_json(const ms_phases *phases) {
    json_t *object;
    MS_TRY(ms_json_pack(&object, what, "{s:i, s:I, s:I, s:f, s:[]}", "snapshots", phases->n_snapshots, "first_step",
                        (json_int_t)phases->first_step, "last_step", (json_int_t)phases->last_step, "penalty_factor",
                        phases->factor, "series"));
    ms_status status = MS_OK;
    for (int i = 0; i < phases->n_series && status == MS_OK; i++)
        status = add_series(&phases->series[i], json_object_get(object, "series"));
    if (status == MS_OK) status = ms_json_print(object, what, JSON_INDENT(1) | JSON_REAL_PRECISION(17), stdout);
    json_decref(object);
    return status;
}

/* --- the command --- */

static ms_status work(const struct phases_arguments *arguments, const char *run) {
    if (!ms_is_directory(run)) return MS_FAIL(MS_NOT_FOUND, "run folder %s does not exist", run);
    if (!(arguments->penalty > 0 && arguments->penalty <= 1e6))
        return MS_FAIL(MS_USAGE, "--penalty %g: must be above 0 and at most 1e6", arguments->penalty);
    char *metrics = ms_path_join(run, "metrics.jsonl"), *spectra = ms_path_join(run, "spectra.jsonl");
    ms_phases phases = {0};
    ms_status status = metrics && spectra ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "phases: paths");
    if (status == MS_OK && !ms_file_exists(spectra))
        status = MS_FAIL(MS_NOT_FOUND, "%s does not exist: train with --track_manifold true", spectra);
    if (status == MS_OK) status = ms_phases_init(metrics, spectra, arguments->penalty, &phases);
    if (status == MS_OK) ms_json_bad_lines_print(&phases.bad, stderr);
    if (status == MS_OK) status = arguments->json ? print_json(&phases) : print_text(&phases, run);
    ms_phases_finish(&phases);
    free(metrics);
    free(spectra);
    return status;
}

const ms_command *const ms_commands_phases[] = {&command, NULL};

int ms_cmd_phases(int argc, char **argv) {
    struct phases_arguments arguments = {.penalty = MS_CHANGE_FACTOR};
    ms_positionals run;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &run);
    if (status == MS_OK && run.help) return ms_command_help(&command);
    if (status == MS_OK) status = work(&arguments, run.items[0]);
    return ms_exit_status(status);
}
