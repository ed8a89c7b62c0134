/* Text made so that a vocabulary without all bytes can encode it. */
#ifndef MS_MODEL_DATA_TOKENIZER_MEND_H
#define MS_MODEL_DATA_TOKENIZER_MEND_H

#include "model/data/text_normalize.h"
#include "model/data/tokenizer.h"

/* Replaces *out by the text, which is UTF-8, with U+FFFD for each character that has a byte without a token; where
   U+FFFD has one itself, with '?'; where that has none either, with nothing.  MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_tokenizer_mend(const ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_text *out);

#endif
