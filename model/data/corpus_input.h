/* The bytes of a corpus: a file, a pipe or standard input, plain or compressed with gzip or zstd.  Contents decide
   which, not names. */
#ifndef MS_MODEL_DATA_CORPUS_INPUT_H
#define MS_MODEL_DATA_CORPUS_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "model/data/corpus.h"
#include "platform/status.h"

typedef struct ms_input ms_input;

/* Opens a path, or standard input for "-"; with a source, which must outlive it, nothing is opened.  The caller closes
   it.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY.  Not thread-safe on one object. */
ms_status ms_input_open(const char *path, const ms_corpus_source *source, ms_input **out);
void ms_input_close(ms_input *input);

/* The path, or "standard input".  Borrowed until close. */
const char *ms_input_name(const ms_input *input);

/* Reads up to `capacity` bytes of what is in it, decompressed; *out_n == 0 at the end alone.  MS_INTERRUPTED: a signal
   asks to stop (platform/signals.h), also while a pipe is waited for.  What the source returns; MS_IO; MS_CORRUPT:
   compressed data that are damaged or end early; MS_OUT_OF_MEMORY. */
ms_status ms_input_read(ms_input *input, char *out, size_t capacity, size_t *out_n);

/* Bytes of the file that were used so far, compressed where it is. */
uint64_t ms_input_bytes_used(const ms_input *input);

/* MS_UNSUPPORTED when text[0, size_bytes), the start of what was read, is of a format that holds no plain text: names
   it, and the way out. */
ms_status ms_input_check_format(const ms_input *input, const char *text, size_t size_bytes);

/* Bytes that ms_input_check_format wants to see, where there are as many. */
#define MS_INPUT_FORMAT_BYTES 512

#endif
