/* What a run shows, in sentences: each computed by a rule from all its lines, with the control that it is held against.
   A rule whose conditions the data do not meet says nothing; that it said nothing, and why, is kept apart.  The rules
   with their thresholds and where these are from: docs/report.md.  Thread-safe on distinct objects. */
#ifndef MS_CLI_REPORT_FINDINGS_H
#define MS_CLI_REPORT_FINDINGS_H

#include "cli/report/run_data.h"
#include "tracker/phases.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets "findings" of `data`, each of "rule", "text" and "control", and "silent", each of "rule" and "why".  phases
   NULL: not known.  MS_OUT_OF_MEMORY. */
ms_status ms_report_add_findings(const ms_report_run *run, const ms_phases *phases, json_t *data);

/* --- for the rules --- */

typedef struct ms_findings {
    const ms_report_run *run;
    const ms_phases *phases;
    json_t *said, *silent; /* borrowed */
} ms_findings;

/* Sets empty "findings" and "silent" of `data`, which owns them.  MS_OUT_OF_MEMORY. */
ms_status ms_findings_begin(const ms_report_run *run, const ms_phases *phases, json_t *data, ms_findings *out);

/* Snapshots that a matrix needs for a share of them to be said. */
enum { MS_FINDINGS_LEAST = 12, MS_FINDINGS_TEXT = 512 };

/* findings_loss.c, findings_spectra.c, findings_series.c: each rule adds what it finds.  MS_OUT_OF_MEMORY. */
ms_status ms_finding_loss(ms_findings *findings);
ms_status ms_finding_rise(ms_findings *findings);
ms_status ms_finding_frequency(ms_findings *findings);
ms_status ms_finding_alignment(ms_findings *findings);
ms_status ms_finding_size(ms_findings *findings);
ms_status ms_finding_depth(ms_findings *findings);
ms_status ms_finding_entropy(ms_findings *findings);
ms_status ms_finding_attention(ms_findings *findings);
ms_status ms_finding_changes(ms_findings *findings);
ms_status ms_finding_correlation(ms_findings *findings);

/* Adds a sentence; `control` is complete. */
ms_status ms_findings_say(ms_findings *findings, const char *rule, const char *control, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
ms_status ms_findings_be_silent(ms_findings *findings, const char *rule, const char *why, ...)
    __attribute__((format(printf, 3, 4)));

/* "layers 0, 3 and 5 to 7" of ascending numbers; returns out. */
const char *ms_findings_layers(const int *layers, size_t n, char *out, size_t size);

/* Spearman's rank correlation with 0, 1, ... n - 1, ties at their mean rank; NaN where all are the same. */
double ms_findings_rank_correlation(const double *values, size_t n);
/* How many independent values the n of a series count as: n / (1 + 2 sum of autocorrelations), which are summed in
   pairs as long as these are positive (Geyer 1992).  1 to n; 1 where all values are the same.  O(n^2). */
double ms_findings_effective_number(const double *values, size_t n);
/* The share of `values` shuffled 9,999 times (fixed seed), and as it is, that correlates as strongly.
   MS_OUT_OF_MEMORY. */
ms_status ms_findings_shuffle_p(const double *values, size_t n, double *out);

#ifdef __cplusplus
}
#endif

#endif
