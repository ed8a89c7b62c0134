/* The lines of an analysis: one a matrix, keys and order of tracker/analysis.def. */
#ifndef MS_CLI_ANALYZE_OUTPUT_H
#define MS_CLI_ANALYZE_OUTPUT_H

#include <stdio.h>

#include "cli/analyze/plan.h"
#include "platform/status.h"

/* All print the items that are done, to a stream that the caller looks after.  MS_OUT_OF_MEMORY. */

/* JSON, an object a line; null where a value is not defined.  n_top: how many of the largest singular values. */
ms_status ms_analyze_print_jsonl(const ms_analyze_plan *plan, int n_top, FILE *stream);

/* CSV (RFC 4180) under a heading; arrays in columns of their own: sigma_1, sigma_2, ..., of n_top.  Nothing where a
   value is not defined. */
ms_status ms_analyze_print_csv(const ms_analyze_plan *plan, int n_top, FILE *stream);

/* For people: the most telling values with what is by chance beside them, then medians over the layers, a line for each
   projection and shape. */
ms_status ms_analyze_print_table(const ms_analyze_plan *plan, FILE *stream);

#endif
