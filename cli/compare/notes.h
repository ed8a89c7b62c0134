/* What a comparison has to say beside its numbers, in order, a line each.  Not thread-safe on one object. */
#ifndef MS_CLI_COMPARE_NOTES_H
#define MS_CLI_COMPARE_NOTES_H

#include <stddef.h>

#include "platform/status.h"

/* Zeroed is empty. */
typedef struct ms_notes {
    char **lines; /* [n] */
    size_t n, capacity;
} ms_notes;

/* Adds a line.  MS_OUT_OF_MEMORY. */
ms_status ms_notes_add(ms_notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ms_notes_finish(ms_notes *notes);

#endif
