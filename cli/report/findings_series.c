/* Rules about heads and about series over the snapshots: attention, changes, correlation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/findings.h"
#include "platform/median.h"

/* --- attention --- */

static double head_entropy(const ms_report_run *run, size_t i_snapshot, size_t layer, int head) {
    int64_t line = run->looks.line_of[i_snapshot * run->looks.n_subjects + layer];
    for (int k = 0; line >= 0 && k < run->probes.n_keys; k++)
        if (run->probes.keys[k].entry == head && strcmp(run->probes.keys[k].metric->key, "attention_entropy") == 0)
            return run->probes.values[(size_t)line * (size_t)run->probes.n_keys + (size_t)k];
    return NAN;
}

ms_status ms_finding_attention(ms_findings *findings) {
    const ms_report_run *run = findings->run;
    size_t n = 0, n_fallen = 0, n_most = 0, i_most = 0, last = run->looks.n_snapshots - 1;
    double first_sum = 0, last_sum = 0;
    char control[MS_FINDINGS_TEXT];
    if (run->looks.n_snapshots < 2 || run->probes.steps[run->looks.first[0]] != 0)
        return ms_findings_be_silent(findings, "attention", "no probe before the first step and after it");
    for (size_t layer = 0; layer < run->looks.n_subjects; layer++) {
        size_t n_here = 0;
        for (int head = 0; head < run->n_heads; head++) {
            double first = head_entropy(run, 0, layer, head), now = head_entropy(run, last, layer, head);
            if (!isfinite(first) || !isfinite(now)) continue;
            n++;
            first_sum += first;
            last_sum += now;
            n_here += now < 0.5 * first;
        }
        n_fallen += n_here;
        if (n_here > n_most) {
            n_most = n_here;
            i_most = layer;
        }
    }
    if (n_fallen == 0)
        return ms_findings_be_silent(findings, "attention", "no head's entropy fell below half of what it began at");
    snprintf(control, sizeof control,
             "the same heads before the first step, %.3f on average (1: all that a query sees alike); now %.3f",
             first_sum / (double)n, last_sum / (double)n);
    return ms_findings_say(
        findings, "attention", control,
        "The attention entropy of %zu of %zu heads fell below half of what it began at, most in layer "
        "%zu (%zu of %d), on a few validation sequences.",
        n_fallen, n, i_most, n_most, run->n_heads);
}

/* --- what tracker/phases.h finds --- */

/* The greatest share of series of nothing but noise that are said to change, of those of at least this many values:
   docs/phases.md. */
static const double noise_share = 0.101;
enum { NOISE_VALUES = 24 };

/* The step after which most series of a key change. */
static int64_t most_frequent(const ms_phase_series *series, int n, int *out_n) {
    int64_t best = -1;
    *out_n = 0;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < series[i].n_changes; c++) {
            int count = 0;
            for (int k = 0; k < n; k++)
                for (int d = 0; d < series[k].n_changes; d++) count += series[k].changes[d] == series[i].changes[c];
            if (count <= *out_n) continue;
            *out_n = count;
            best = series[i].changes[c];
        }
    return best;
}

/* The series of the k-th key of MS_PHASE_KEYS. */
static const ms_phase_series *series_of(const ms_phases *phases, int k, int *out_n) {
    *out_n = (phases->n_series - 1) / MS_PHASE_N_KEYS;
    return &phases->series[1 + k * *out_n];
}

ms_status ms_finding_changes(ms_findings *findings) {
    bool said = false;
    for (int k = 0; findings->phases && k < MS_PHASE_N_KEYS; k++) {
        int n, n_known = 0, n_changed = 0, n_there;
        const ms_phase_series *series = series_of(findings->phases, k, &n);
        char control[MS_FINDINGS_TEXT];
        for (int i = 0; i < n; i++) {
            bool known = series[i].rates && series[i].n >= NOISE_VALUES; /* levels that drift are cut into stairs */
            n_known += known;
            n_changed += known && series[i].n_changes > 0;
        }
        if (n_known < 10 || n_changed <= 2 * noise_share * n_known) continue;
        said = true;
        snprintf(control, sizeof control,
                 "of series of noise alone up to %.1f %% are said to change, here %.0f; twice that is asked for",
                 100 * noise_share, noise_share * n_known);
        int64_t step = most_frequent(series, n, &n_there);
        MS_TRY(ms_findings_say(findings, "changes", control,
                               "The slope of %s changes in %d of %d matrices, most often at step %lld (%d of them).",
                               series->key, n_changed, n_known, (long long)step, n_there));
    }
    if (said) return MS_OK;
    return ms_findings_be_silent(
        findings, "changes",
        "no metric of 10 or more series of %d values whose slope changes in more than twice as "
        "many as of noise",
        NOISE_VALUES);
}

ms_status ms_finding_correlation(ms_findings *findings) {
    bool said = false;
    for (int k = 0; findings->phases && k < MS_PHASE_N_KEYS; k++) {
        int n, n_known = 0, n_low = 0;
        const ms_phase_series *series = series_of(findings->phases, k, &n);
        double *known = malloc(((size_t)n + 1) * sizeof *known);
        char control[MS_FINDINGS_TEXT];
        if (!known) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %d series", n);
        for (int i = 0; i < n; i++) {
            if (series[i].n < MS_PHASE_LEAST || !isfinite(series[i].correlation) || !isfinite(series[i].p)) continue;
            known[n_known++] = series[i].correlation;
            n_low += series[i].p <= 0.05;
        }
        double median = n_known > 0 ? ms_median(known, n_known) : NAN;
        free(known);
        if (n_known < 20 || n_low <= 0.05 * n_known + 3 * sqrt(0.05 * 0.95 * n_known)) continue;
        said = true;
        snprintf(
            control, sizeof control,
            "circular shifts of the loss: p at most .05 in %.1f by chance; matrices share the loss and the schedule, "
            "which may be the cause of both",
            0.05 * n_known);
        MS_TRY(ms_findings_say(
            findings, "correlation", control,
            "Differences of %s from snapshot to snapshot go with those of the training loss in %d of %d "
            "matrices (p at most .05): median r %.2f.",
            series->key, n_low, n_known, median));
    }
    if (said) return MS_OK;
    return ms_findings_be_silent(
        findings, "correlation",
        "no metric of 20 or more matrices whose differences go with the loss in more than chance "
        "and three of its deviations");
}
