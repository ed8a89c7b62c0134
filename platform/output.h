/* The standard streams of a program: safe before anything is opened, printed to without foreign control characters, and
   checked at the end.  Thread-safe but for ms_output_begin and ms_output_end, which `main` calls. */
#ifndef MS_PLATFORM_OUTPUT_H
#define MS_PLATFORM_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* First in main.  A standard descriptor (0, 1, 2) that is closed becomes /dev/null: else the next file that is opened
   would take its place and get what is printed.  A write beyond a limit on file sizes becomes an error (EFBIG) instead
   of the signal SIGXFSZ, and one to a reader that is gone an error (EPIPE) instead of SIGPIPE.  MS_IO: /dev/null cannot
   be opened. */
ms_status ms_output_begin(void);

/* Last in main: flushes and closes standard output.  MS_NO_SPACE, MS_IO: something that was printed to it since the
   beginning did not arrive. */
ms_status ms_output_end(void);

/* Flushes standard output.  MS_NO_SPACE, MS_IO as ms_output_end. */
ms_status ms_output_flush(void);

/* Flushes a stream, which may be standard output; a failure stays with the stream. */
void ms_print_flush(FILE *stream);

/* Prints one line: the formatted text, escaped, and a line break; of more than 8190 bytes the
   middle is left out (platform/escape.h).  A
   failure stays with the stream: ms_output_end, ferror(3). */
void ms_print_line(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints text that people read and programs take: as it is, but on a terminal with control characters, other than line
   breaks and tabs, as \xHH.  Pieces may end within a character. */
void ms_print_text(FILE *stream, const void *text, size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
