/* The prompts of a command line and of a file, a line each. */
#ifndef MS_CLI_PROMPTS_H
#define MS_CLI_PROMPTS_H

#include <stddef.h>

#include "train/text.h"

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_prompts {
    ms_text_prompt *items; /* [n] all that they point to is owned */
    int64_t n, capacity;
} ms_prompts;

/* Adds a copy of a text.  MS_OUT_OF_MEMORY. */
ms_status ms_prompts_add(ms_prompts *prompts, const char *place, const char *text, size_t size_bytes);

/* MS_USAGE: none of "auto", "text" and "jsonl". */
ms_status ms_prompts_check_format(const char *format);

/* Adds those of a file, or of standard input for "-".  format "jsonl": each line is an object, with the text under the
   key `field` or a list of token ids under "input_ids"; "text": each line is a text; "auto": JSONL where the first line
   is a JSON object or the name ends in .jsonl or .ndjson.  A byte-order mark, and carriage returns at the ends of
   lines, are left out.  MS_USAGE: another format.  MS_INVALID names the line: empty, not JSON, without the key.
   MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY, MS_INTERRUPTED. */
ms_status ms_prompts_read(ms_prompts *prompts, const char *path, const char *format, const char *field);
void ms_prompts_finish(ms_prompts *prompts);

#endif
