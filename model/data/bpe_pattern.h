/* Patterns of tokenizer.json's Split, which are written for Oniguruma in its Ruby syntax, as PCRE2 patterns that match
   the same.  Both read most of what such patterns are made of alike; what they read otherwise (white space, \w, \b, \v,
   \h, scripts, "(?m:", "{,n}") is rewritten, and what has no counterpart is refused by name.
   Sources: Oniguruma's doc/RE, pcre2pattern(3), and the members of each class as Hugging Face tokenizers 0.23.3 match
   them. */
#ifndef MS_MODEL_DATA_BPE_PATTERN_H
#define MS_MODEL_DATA_BPE_PATTERN_H

#include "platform/status.h"

/* The PCRE2 pattern, malloc'ed; the caller frees it.  To be compiled with PCRE2_UTF, PCRE2_UCP, PCRE2_MULTILINE and
   newlines that are LF.  MS_UNSUPPORTED names what PCRE2 has no counterpart for, and its byte; MS_OUT_OF_MEMORY. */
ms_status ms_bpe_pattern(const char *pattern, char **out);

#endif
