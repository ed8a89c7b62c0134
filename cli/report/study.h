/* What a study found, for the page: its results.json as it is, and its arms' curves over steps. */
#ifndef MS_CLI_REPORT_STUDY_H
#define MS_CLI_REPORT_STUDY_H

#include <jansson.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets "results", "curves", "findings", "silent" and "notes" of `data`.  curves: for each metric "unit", "text" and
   "arms": of each arm "step", and over its seeds "mean", "low" and "high" (the least and the greatest), and "n", how
   many runs have that step. MS_CORRUPT: results.json is none of a study of version 1.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_report_add_study(const char *folder, json_t *data);

/* study_findings.c: sets "findings" and "silent" of `data` from the hypotheses of results.json.  MS_OUT_OF_MEMORY. */
ms_status ms_study_add_findings(const json_t *results, json_t *data);

#ifdef __cplusplus
}
#endif

#endif
