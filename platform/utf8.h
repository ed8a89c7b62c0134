/* UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).  Thread-safe. */
#ifndef MS_PLATFORM_UTF8_H
#define MS_PLATFORM_UTF8_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the well-formed character at `text`, of which `left` bytes (at least 1) are there; 0 when there is none. */
size_t ms_utf8_length(const char *text, size_t left);

/* Offset of the first byte that is not part of well-formed UTF-8, or size_bytes when all of the text is well-formed. */
size_t ms_utf8_check(const char *text, size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
