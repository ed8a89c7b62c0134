/* The columns that a file's keys become: those of tracker/metrics.h in the order of `muonscope tracker describe`, an
   array one for each of its numbers. */
#ifndef MS_CLI_EXPORT_COLUMNS_H
#define MS_CLI_EXPORT_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"
#include "tracker/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_EXPORT_NAME_SIZE = 64 };

typedef struct ms_export_column {
    const ms_metric *key;           /* static */
    char name[MS_EXPORT_NAME_SIZE]; /* "sigma_max"; "sigma_3" of sigma_top, "sigma_q50" of sigma_quantiles */
    const char *entry;              /* what stands behind the array's own part of the name: "3", "q50"; "": a number */
    int index;                      /* in the array; -1: a number */
    bool by_head;                   /* probes.jsonl: of each query head */
} ms_export_column;

typedef struct ms_export_columns {
    ms_export_column *items; /* [n] */
    size_t n;
} ms_export_columns;

/* Those of a file that ms_metric_files lists ("spectra.jsonl").  ms_export_columns_finish frees; `out` is zeroed on
   failure.  MS_NOT_FOUND: no such file.  MS_INTERNAL: an array that cli/export/columns.c has no row of.
   MS_OUT_OF_MEMORY. */
ms_status ms_export_columns_init(const char *file, ms_export_columns *out);
void ms_export_columns_finish(ms_export_columns *columns); /* a zeroed one is fine */

/* How many numbers the array of a column has at most; 1 of a number. */
int ms_export_column_entries(const ms_export_column *column);

#ifdef __cplusplus
}
#endif

#endif
