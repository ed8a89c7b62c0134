#include "model/data/text_mend.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/utf8.h"

/* Bytes, at least 1, of the ill-formed sequence with which the text begins, as far as it could have become a character.
   After the second byte any continuation will do: a start can when filling it up makes a character. */
static size_t ill_formed(const char *text, size_t size_bytes) {
    for (size_t n = size_bytes < 3 ? size_bytes : 3; n > 1; n--) {
        char filled[4];
        memset(filled, 0x80, sizeof filled);
        memcpy(filled, text, n);
        if (ms_utf8_length(filled, sizeof filled) > n) return n;
    }
    return 1;
}

ms_status ms_mend_utf8(const char *text, size_t size_bytes, ms_text *out) {
    out->n = 0;
    for (size_t begin = 0; begin < size_bytes;) {
        size_t valid = ms_utf8_check(text + begin, size_bytes - begin);
        MS_TRY(ms_text_append(out, text + begin, valid));
        begin += valid;
        if (begin == size_bytes) break;
        MS_TRY(ms_text_append(out, "\xef\xbf\xbd", 3));
        begin += ill_formed(text + begin, size_bytes - begin);
    }
    return MS_OK;
}

/* The value of an escape \uHHHH at the start of the text, or -1. */
static long escape_at(const char *json, size_t size_bytes) {
    if (size_bytes < 6 || json[0] != '\\' || json[1] != 'u') return -1;
    char digits[5] = {0};
    memcpy(digits, json + 2, 4);
    for (size_t i = 0; i < 4; i++)
        if (!isxdigit((unsigned char)digits[i])) return -1;
    return strtol(digits, NULL, 16);
}

/* The place of the next escape of half a pair, or size_bytes. */
static size_t find_lone(const char *json, size_t size_bytes, size_t from) {
    for (size_t i = from; i < size_bytes;) {
        const char *backslash = memchr(json + i, '\\', size_bytes - i);
        if (!backslash) return size_bytes;
        i = (size_t)(backslash - json);
        long value = escape_at(json + i, size_bytes - i);
        if (value < 0xd800 || value > 0xdfff) {
            i += 2;
            continue;
        }
        long next = escape_at(json + i + 6, size_bytes - i - 6);
        if (value > 0xdbff || next < 0xdc00 || next > 0xdfff) return i;
        i += 12;
    }
    return size_bytes;
}

bool ms_has_lone_surrogate(const char *json, size_t size_bytes) { return find_lone(json, size_bytes, 0) < size_bytes; }

ms_status ms_mend_surrogates(const char *json, size_t size_bytes, ms_text *out) {
    out->n = 0;
    for (size_t begin = 0; begin < size_bytes;) {
        size_t lone = find_lone(json, size_bytes, begin);
        MS_TRY(ms_text_append(out, json + begin, lone - begin));
        begin = lone;
        if (begin == size_bytes) break;
        MS_TRY(ms_text_append(out, "\\ufffd", 6));
        begin += 6;
    }
    return MS_OK;
}
