/* What fuzz targets share: bytes as a file, and claims that end the process. */
#ifndef MS_TESTS_FUZZ_FUZZ_H
#define MS_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

/* One target: reads the bytes as its reader would, and claims what must hold for those that are accepted.  Called by
   libFuzzer, or by standalone.c.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* A folder of this process's own in $TMPDIR or /tmp, removed at exit.  Borrowed. */
const char *ms_fuzz_folder(void);

/* The path of `name` in ms_fuzz_folder: of up to four names, borrowed. */
const char *ms_fuzz_path(const char *name);

/* Writes the bytes to ms_fuzz_path(name), which it returns. */
const char *ms_fuzz_file(const char *name, const void *data, size_t size_bytes);

/* Writes what lies between lines "==" to files of these n names; paths of those that the input lacks are NULL. */
void ms_fuzz_files(const uint8_t *data, size_t size_bytes, const char *const *names, int n, const char **out_paths);

/* Prints the claim, the thread's message and the place, and aborts. */
_Noreturn void ms_fuzz_fail(const char *file, int line, const char *claim);

/* Holds for every input, or the reader is wrong. */
#define MS_FUZZ_CLAIM(claim) ((claim) ? (void)0 : ms_fuzz_fail(__FILE__, __LINE__, #claim))

/* A refusal says why in one line, and is no fault of ours. */
void ms_fuzz_refused(ms_status status);

#endif
