#include "cli/report/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/notes.h"
#include "platform/json.h"
#include "platform/random.h"

static const char what[] = "the report's findings";

static ms_status add(json_t *list, const char *rule, const char *key, const char *text, const char *control) {
    json_t *entry;
    MS_TRY(ms_json_pack(&entry, what, "{s:s, s:o}", "rule", rule, key, ms_report_text(text, strlen(text), 4096)));
    ms_status status =
        control ? ms_json_set(entry, what, "control", ms_report_text(control, strlen(control), 4096)) : MS_OK;
    if (status != MS_OK) {
        json_decref(entry);
        return status;
    }
    return ms_json_append(list, what, entry);
}

ms_status ms_findings_say(ms_findings *findings, const char *rule, const char *control, const char *text, ...) {
    char line[MS_FINDINGS_TEXT];
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(line, sizeof line, text, arguments);
    va_end(arguments);
    return add(findings->said, rule, "text", line, control);
}

ms_status ms_findings_be_silent(ms_findings *findings, const char *rule, const char *why, ...) {
    char line[MS_FINDINGS_TEXT];
    va_list arguments;
    va_start(arguments, why);
    vsnprintf(line, sizeof line, why, arguments);
    va_end(arguments);
    return add(findings->silent, rule, "why", line, NULL);
}

/* --- words and figures --- */

const char *ms_findings_layers(const int *layers, size_t n, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, n == 1 ? "layer" : "layers"), n_groups = 0, i_group = 0;
    for (size_t i = 0; i < n; i++) n_groups += i == 0 || layers[i] != layers[i - 1] + 1;
    for (size_t i = 0; i < n && used < size; i_group++) {
        size_t end = i + 1;
        while (end < n && layers[end] == layers[end - 1] + 1) end++;
        const char *before = i_group == 0 ? " " : i_group + 1 == n_groups ? " and " : ", ";
        if (end - i == 1)
            used += (size_t)snprintf(out + used, size - used, "%s%d", before, layers[i]);
        else
            used += (size_t)snprintf(out + used, size - used, "%s%d to %d", before, layers[i], layers[end - 1]);
        i = end;
    }
    return out;
}

static void rank(const double *values, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        size_t n_below = 0, n_equal = 0;
        for (size_t k = 0; k < n; k++) {
            n_below += values[k] < values[i];
            n_equal += values[k] == values[i];
        }
        out[i] = (double)n_below + 0.5 * (double)(n_equal - 1);
    }
}

/* Of ranks with 0, 1, ... n - 1. */
static double correlate(const double *ranks, size_t n) {
    double middle = 0.5 * (double)(n - 1), xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)i - middle, y = ranks[i] - middle;
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

double ms_findings_rank_correlation(const double *values, size_t n) {
    double ranks[MS_REPORT_LAYERS];
    if (n > MS_REPORT_LAYERS) return NAN;
    rank(values, n, ranks);
    return correlate(ranks, n);
}

double ms_findings_effective_number(const double *values, size_t n) {
    double mean = 0, variance = 0, sum = 0;
    for (size_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++) variance += (values[i] - mean) * (values[i] - mean);
    if (!(variance > 0)) return 1;
    for (size_t lag = 0; lag + 1 < n; lag += 2) {
        double pair = 0;
        for (size_t i = 0; i + lag < n; i++) {
            double next = i + lag + 1 < n ? values[i + lag + 1] - mean : 0;
            pair += (values[i] - mean) * (values[i + lag] - mean + next);
        }
        if (pair <= 0) break;
        sum += pair / variance;
    }
    return (double)n / fmin(fmax(2 * sum - 1, 1), (double)n);
}

ms_status ms_findings_shuffle_p(const double *values, size_t n, double *out) {
    enum { SHUFFLES = 9999 };
    uint64_t state = 1;
    double *ranks = malloc((n + 1) * sizeof *ranks);
    *out = NAN;
    if (!ranks) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu ranks", n);
    rank(values, n, ranks);
    double seen = fabs(correlate(ranks, n));
    int n_as_high = 1;
    for (int k = 0; k < SHUFFLES && isfinite(seen); k++) {
        for (size_t i = n; i > 1; i--) { /* Fisher & Yates */
            size_t j = (size_t)(ms_split_mix_uniform(&state) * (double)i);
            double swap = ranks[i - 1];
            ranks[i - 1] = ranks[j];
            ranks[j] = swap;
        }
        n_as_high += fabs(correlate(ranks, n)) >= seen - 1e-12;
    }
    if (isfinite(seen)) *out = n_as_high / (double)(SHUFFLES + 1);
    free(ranks);
    return MS_OK;
}

/* --- all rules --- */

ms_status ms_findings_begin(const ms_report_run *run, const ms_phases *phases, json_t *data, ms_findings *out) {
    *out = (ms_findings){run, phases, json_array(), json_array()};
    ms_status status = ms_json_set(data, what, "findings", out->said);
    if (status == MS_OK) return ms_json_set(data, what, "silent", out->silent);
    json_decref(out->silent);
    return status;
}

ms_status ms_report_add_findings(const ms_report_run *run, const ms_phases *phases, json_t *data) {
    static ms_status (*const rules[])(ms_findings *) = {
        ms_finding_loss,      ms_finding_rise,    ms_finding_frequency, ms_finding_size,    ms_finding_depth,
        ms_finding_alignment, ms_finding_entropy, ms_finding_attention, ms_finding_changes, ms_finding_correlation};
    ms_findings findings;
    MS_TRY(ms_findings_begin(run, phases, data, &findings));
    ms_status status = MS_OK;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && status == MS_OK; i++) status = rules[i](&findings);
    return status;
}
