/* Child processes, without a shell.  Thread-safe. */
#ifndef MS_PLATFORM_PROCESS_H
#define MS_PLATFORM_PROCESS_H

#include <stddef.h>

#include "platform/status.h"

/* Runs argv[0] (looked up in PATH) with the arguments argv[1..], which end with NULL, and waits for it.  It works in
   the open directory `directory`; -1: in this process's own.  Its standard input is empty; a limit on file sizes and
   a pipe without a reader end it (SIGXFSZ, SIGPIPE), whatever this process does; what it prints on standard output and
   standard error is gathered, in the order it comes, into *out_text (malloc'ed, NUL at the end; the caller frees it).
   *out_exit: its exit status, or 128 + the signal that ended it.  MS_NOT_FOUND: there is no such program.  MS_IO: it
   could not be started.  MS_OUT_OF_MEMORY.  On failure *out_text is NULL. */
ms_status ms_process_run(const char *const *argv, int directory, char **out_text, int *out_exit);

/* How it ended, from *out_exit, for a message: "ended with 2", "was ended by SIGXFSZ (File size limit exceeded)".  A
   program that ends with 128 + a signal's number itself, as shells do, reads as ended by it.  Returns out. */
char *ms_process_ending(int exit_status, char *out, size_t size);

#endif
