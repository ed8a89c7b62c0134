/* The lines of one of a run's JSONL files as columns of numbers.  Not thread-safe on one object. */
#ifndef MS_CLI_REPORT_TABLE_H
#define MS_CLI_REPORT_TABLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "tracker/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_REPORT_KEYS = 512 };

/* A column. */
typedef struct ms_report_key {
    const ms_metric *metric; /* static */
    int entry;               /* of an array; -1: a number */
} ms_report_key;

typedef struct ms_report_table {
    ms_report_key keys[MS_REPORT_KEYS];
    int n_keys;
    int64_t *steps; /* [n] ascending */
    double *tokens; /* [n] seen so far */
    int *subjects;  /* [n] of which matrix or layer a line tells; the caller's numbers */
    double *values; /* [n][n_keys]; NaN: null, or no such key */
    size_t n, capacity;
} ms_report_table;

/* Makes columns of the numbers of a file ("spectra.jsonl"), and `list_entries` columns of each array in `lists` (names,
   ends with NULL); keys that begin with `before`, unless that is NULL, alone. */
void ms_report_table_init(ms_report_table *table, const char *file, const char *before, const char *const *lists,
                          int list_entries);
/* Adds a line.  MS_OUT_OF_MEMORY. */
ms_status ms_report_table_add(ms_report_table *table, const json_t *line, int subject);
void ms_report_table_finish(ms_report_table *table);

/* The column of a number; -1: there is none. */
int ms_report_table_find(const ms_report_table *table, const char *key);

#ifdef __cplusplus
}
#endif

#endif
