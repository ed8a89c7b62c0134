/* Unicode normalization of text (Unicode Standard Annex 15), by utf8proc, of the characters that had one in Unicode 9:
   as Hugging Face's normalizers, whose tables are of that version. */
#ifndef MS_MODEL_DATA_TEXT_NORMALIZE_H
#define MS_MODEL_DATA_TEXT_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

typedef enum ms_normal_form { MS_NFC, MS_NFD, MS_NFKC, MS_NFKD, MS_N_NORMAL_FORMS } ms_normal_form;

/* "NFC", "NFD", "NFKC", "NFKD".  Borrowed, static. */
const char *ms_normal_form_name(ms_normal_form form);

/* A growing text.  Zeroed is empty; the owner finishes it. */
typedef struct ms_text {
    char *bytes;
    size_t n;
    size_t capacity;
} ms_text;

/* Adds bytes.  MS_OUT_OF_MEMORY: the text is as before. */
ms_status ms_text_append(ms_text *text, const void *bytes, size_t n);
void ms_text_finish(ms_text *text);

/* Replaces *out by the normal form of text[0, size_bytes), well-formed UTF-8 that may hold NULs.  Thread-safe.
   MS_INVALID: a run of characters beyond ASCII of more than 2^31 - 1 bytes; MS_OUT_OF_MEMORY. */
ms_status ms_text_normalize(ms_normal_form form, const char *text, size_t size_bytes, ms_text *out);

#endif
