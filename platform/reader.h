/* A regular file that is read in pieces at any place.  It is not mapped: a file that another process cuts meanwhile is
   an error with a message, and no signal.  Reading is thread-safe, also on one object. */
#ifndef MS_PLATFORM_READER_H
#define MS_PLATFORM_READER_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A zeroed one is closed. */
typedef struct ms_reader {
    char *path;         /* owned; NULL: closed */
    int file;           /* descriptor */
    int64_t size_bytes; /* when it was opened */
} ms_reader;

/* Opens `path`.  A process that has all the files open that it may have takes as many as the system allows it
   (RLIMIT_NOFILE).  The caller closes the reader.  MS_NOT_FOUND; MS_IO: also when it is no regular file. */
ms_status ms_reader_open(const char *path, ms_reader *out);
void ms_reader_close(ms_reader *reader); /* a closed one is fine */

/* Reads size_bytes from `offset` on.  MS_CORRUPT: the file is shorter, with the size wanted and the size found.
   MS_IO. */
ms_status ms_reader_read(const ms_reader *reader, int64_t offset, size_t size_bytes, void *out);

/* SHA-256 of the file as long as it was when it was opened: 64 hexadecimal digits and a NUL.  Errors of ms_reader_read;
   MS_OUT_OF_MEMORY; MS_INTERRUPTED: a signal came that ms_signals_catch catches. */
ms_status ms_reader_sha256(const ms_reader *reader, char out_hexadecimal[65]);

#ifdef __cplusplus
}
#endif

#endif
