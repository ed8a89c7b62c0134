/* Reading the lines of a run's JSONL files, whatever state they are in: of a run that goes on, that was killed, or
   whose file was cut.  Thread-safe on distinct objects. */
#ifndef MS_TRACKER_COMPARE_RUN_LINES_H
#define MS_TRACKER_COMPARE_RUN_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_run_line {
    json_t *object; /* borrowed */
    int64_t step;   /* at least that of the line before */
    double tokens;  /* seen so far */
} ms_run_line;

/* What reading the files of one run met; add up over files. */
typedef struct ms_run_line_faults {
    int64_t n_bad; /* lines that are no JSON object with "step" and "tokens", go back in steps, or say again what an
                      earlier line of the step says */
    char first_bad[120]; /* "spectra.jsonl line 12" */
    int n_partial;       /* files that end within a line: their run goes on, or was killed */
} ms_run_line_faults;

/* Calls `visit` for every good line, until it fails; bad ones are counted.  A partial last line is left out.  A missing
   file has no line.  MS_IO, MS_OUT_OF_MEMORY; errors of `visit`. */
ms_status ms_run_lines_read(const char *folder, const char *file,
                            ms_status (*visit)(void *context, const ms_run_line *line), void *context,
                            ms_run_line_faults *faults);

#ifdef __cplusplus
}
#endif

#endif
