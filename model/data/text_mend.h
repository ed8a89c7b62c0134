/* Text that is wrong in places, made right: U+FFFD takes the place of what is wrong. */
#ifndef MS_MODEL_DATA_TEXT_MEND_H
#define MS_MODEL_DATA_TEXT_MEND_H

#include <stdbool.h>
#include <stddef.h>

#include "model/data/text_normalize.h"
#include "platform/status.h"

/* Replaces *out by the text, with one U+FFFD for each ill-formed sequence (the longest that begins as a character does:
   Unicode 15, section 3.9).  MS_OUT_OF_MEMORY. */
ms_status ms_mend_utf8(const char *text, size_t size_bytes, ms_text *out);

/* True when JSON text has a \u escape of half a surrogate pair. */
bool ms_has_lone_surrogate(const char *json, size_t size_bytes);
/* Replaces *out by the JSON text, with \ufffd for each such escape.  MS_OUT_OF_MEMORY. */
ms_status ms_mend_surrogates(const char *json, size_t size_bytes, ms_text *out);

#endif
