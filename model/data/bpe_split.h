/* Pre-tokenisation: cuts text into the pieces that BPE merges never cross.  GPT-2's pattern (Radford et al. 2019), and
   its variant in which every number character is a piece of its own (SmolLM: Sequence[Digits, ByteLevel] in Hugging
   Face tokenizers).  Letters and numbers are those of the Unicode version in the linked PCRE2. */
#ifndef MS_MODEL_DATA_BPE_SPLIT_H
#define MS_MODEL_DATA_BPE_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

typedef struct ms_bpe_splitter ms_bpe_splitter;

/* The caller destroys it.  split_digits: every character of the classes Nd, Nl and No alone.  MS_OUT_OF_MEMORY,
   MS_INTERNAL.  Not thread-safe on one object. */
ms_status ms_bpe_splitter_create(bool split_digits, ms_bpe_splitter **out);
void ms_bpe_splitter_destroy(ms_bpe_splitter *splitter);

/* The end (offset, exclusive, > begin) of the piece that starts at `begin` in text[0, size_bytes), begin < size_bytes.
   The text must be well-formed UTF-8 (ms_utf8_check) and begin at a character.  MS_INTERNAL. */
ms_status ms_bpe_splitter_next(ms_bpe_splitter *splitter, const char *text, size_t size_bytes, size_t begin,
                               size_t *out_end);

#endif
