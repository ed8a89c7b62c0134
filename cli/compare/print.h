/* A comparison as text, CSV and JSON.  Thread-safe. */
#ifndef MS_CLI_COMPARE_PRINT_H
#define MS_CLI_COMPARE_PRINT_H

#include <stdio.h>

#include "cli/compare/runs.h"

/* What is printed; borrowed. */
typedef struct ms_compare_result {
    const ms_compare_set *set;
    const ms_comparison *comparisons; /* [n] */
    size_t n;
    double confidence;
} ms_compare_result;

/* print_text.c: what is compared, the notes, a table for each comparison and group.  MS_OUT_OF_MEMORY. */
ms_status ms_compare_print_text(const ms_compare_result *result, FILE *stream);
/* print_csv.c: a header, and a line for each comparison, metric and group.  Empty: not defined. */
ms_status ms_compare_print_csv(const ms_compare_result *result, FILE *stream);
/* print_json.c: one object with everything, the value of each run too.  MS_INVALID: a path that is not UTF-8.
   MS_OUT_OF_MEMORY. */
ms_status ms_compare_print_json(const ms_compare_result *result, FILE *stream);

#endif
