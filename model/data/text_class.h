/* Classes of characters at the edges of a text: white space (Unicode's White_Space) and words (letters, marks, decimal
   digits, connectors, joiners: \w of Unicode Technical Standard 18).  Texts are well-formed UTF-8.  Thread-safe. */
#ifndef MS_MODEL_DATA_TEXT_CLASS_H
#define MS_MODEL_DATA_TEXT_CLASS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of white space with which text[0, size_bytes) starts, ends. */
size_t ms_space_at_start(const char *text, size_t size_bytes);
size_t ms_space_at_end(const char *text, size_t size_bytes);

/* True when its first, last character is of a word. */
bool ms_begins_with_word(const char *text, size_t size_bytes);
bool ms_ends_in_word(const char *text, size_t size_bytes);

#endif
