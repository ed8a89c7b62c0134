/* The report of a run or of a study: one HTML file that stands alone, and the data that it shows.  What the page shows
   and which rules its findings follow: docs/report.md.  Thread-safe on distinct folders. */
#ifndef MS_CLI_REPORT_REPORT_H
#define MS_CLI_REPORT_REPORT_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The data of the page as JSON text, read from the files of the run (config.yaml or metrics.jsonl is there) or of the
   study (results.json) in `folder`, in whatever state they are: what is missing or cannot be used is left out, and
   "notes" of the object says so.  A run that has just begun is one without lines.  Reads files alone; calling it again
   gives the data of then.  At most about 2 MB: of longer runs lines are left out, which "notes" says.
   The caller frees *out_text, which has a NUL after its *out_size_bytes bytes.
   MS_NOT_FOUND: no such folder, or neither a run nor a study in it.  MS_CORRUPT: results.json is none of a study.
   MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_report_data(const char *folder, char **out_text, size_t *out_size_bytes);

/* The page as HTML that loads nothing from elsewhere.  With data: what ms_report_data gave; the page works from a file.
   NULL: a live page, which opens EventSource("events") beside its own address, and at each event "message" fetches
   "data.json", which is to be what ms_report_data gives, and shows it, keeping what the user chose; at an event "end"
   it does so a last time and closes.  It fetches data.json once at the start, before any event. The caller frees
   *out_text.  MS_UNSUPPORTED: built without Chart.js.  MS_INVALID: the data are no JSON object. MS_OUT_OF_MEMORY. */
ms_status ms_report_page(const char *data, size_t data_size_bytes, char **out_text, size_t *out_size_bytes);

/* Both: the page of a run or study in `folder`, written to `out`, complete or not at all.  *out_size_bytes: of the
   page. Errors of both. */
ms_status ms_report_write(const char *folder, const char *out, size_t *out_size_bytes);

#ifdef __cplusplus
}
#endif

#endif
