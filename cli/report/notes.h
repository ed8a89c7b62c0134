/* What a report has to say of data that are missing, cut or left out: an array of texts.  Not thread-safe on one. */
#ifndef MS_CLI_REPORT_NOTES_H
#define MS_CLI_REPORT_NOTES_H

#include <jansson.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds the formatted text, made fit for a line (platform/escape.h), to an array.  MS_OUT_OF_MEMORY. */
ms_status ms_report_note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON text of bytes from a file: what is not UTF-8 becomes U+FFFD, and of more than `most` bytes the rest is left
   out.  The caller owns it; NULL: out of memory. */
json_t *ms_report_text(const char *bytes, size_t size_bytes, size_t most);

#ifdef __cplusplus
}
#endif

#endif
