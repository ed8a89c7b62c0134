/* What is read once, from its beginning: a file, a pipe, a device or standard input.  It may come slowly, or never: a
   signal that asks to stop ends the wait (platform/signals.h).  Not thread-safe on one object. */
#ifndef MS_PLATFORM_STREAM_H
#define MS_PLATFORM_STREAM_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_stream {
    char *name; /* the path, or "standard input"; NULL: not open */
    int file;
} ms_stream;

/* Opens a path, or standard input for "-".  The caller closes it.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_stream_open(const char *path, ms_stream *out);
/* One that was never opened is fine. */
void ms_stream_close(ms_stream *stream);

/* Reads what is there, at most `capacity` bytes, and waits for the first; *out_n == 0 at the end alone.  MS_IO;
   MS_INTERRUPTED: a signal came. */
ms_status ms_stream_read(ms_stream *stream, void *out, size_t capacity, size_t *out_n);

#ifdef __cplusplus
}
#endif

#endif
