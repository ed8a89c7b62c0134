/* What a run's files say as the columns that the page draws.  Of long runs lines are left out, and a note says so. */
#ifndef MS_CLI_REPORT_COLUMNS_H
#define MS_CLI_REPORT_COLUMNS_H

#include "cli/report/run_data.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MS_REPORT_MOST_STEPS = 2000,     /* lines of metrics.jsonl, and of validations */
    MS_REPORT_MOST_NUMBERS = 200000, /* of spectra.jsonl */
    MS_REPORT_MOST_LOOKS = 50000     /* numbers of probes.jsonl */
};

/* Sets "steps", "validations", "spectra", "probes" and "about" of `data`, with notes in run->notes.  Columns without a
   number are not there.  MS_OUT_OF_MEMORY. */
ms_status ms_report_add_columns(ms_report_run *run, json_t *data);

/* [*out_n] numbers 0 <= i < n in ascending order, at most `most` and at least the first and the last: every k-th, and
   the last.  The caller frees.  MS_OUT_OF_MEMORY. */
ms_status ms_report_choose(size_t n, size_t most, size_t **out, size_t *out_n);

/* The same of a series: of each stretch the least and the greatest value, so that no spike is lost; values that are not
   finite count as neither. */
ms_status ms_report_choose_extremes(const double *values, size_t n, size_t most, size_t **out, size_t *out_n);

#ifdef __cplusplus
}
#endif

#endif
