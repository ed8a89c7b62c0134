/* `muonscope export csv`: tables of the data of runs. */
#ifndef MS_CLI_EXPORT_EXPORT_H
#define MS_CLI_EXPORT_EXPORT_H

#include "cli/export/tables.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_export_request {
    char **paths; /* [n_paths] run folders, each once, borrowed */
    int n_paths;
    bool tables[MS_EXPORT_TABLES];    /* those that are written */
    bool are_named;                   /* by the user: one without a row is an error */
    const char *out;                  /* a folder; a file, where it ends in ".csv" and one table is written */
    const char *layers, *projections; /* NULL: all */
} ms_export_request;

/* Writes every table that has a row, each complete or not at all, and prints which; `notes` gets what is wrong in the
   runs' files, and what that leaves out.  MS_NOT_FOUND: there is no run, or a table that was asked for has no row, or
   no line has a layer or projection that was asked for: nothing is written.  MS_INVALID: a run that was left out; the
   rest is written.  MS_USAGE, MS_IO, MS_NO_SPACE, MS_INTERRUPTED, MS_OUT_OF_MEMORY: nothing, or only some tables, are
   written.  Not thread-safe. */
ms_status ms_export_csv(const ms_export_request *request, FILE *printed, FILE *notes);

#ifdef __cplusplus
}
#endif

#endif
