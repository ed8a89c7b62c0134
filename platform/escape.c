#include "platform/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "platform/utf8.h"

/* Whether a terminal acts on a well-formed character of `length` bytes, instead of showing it. */
static bool is_control(const uint8_t *c, size_t length) {
    if (length == 1) return c[0] < 0x20 || c[0] == 0x7f;
    if (length == 2) return c[0] == 0xc2 && c[1] < 0xa0; /* C1: U+0080 to U+009F */
    if (length != 3 || c[0] != 0xe2) return false;
    /* U+200E and U+200F, U+2028 to U+202E, U+2066 to U+2069 */
    if (c[1] == 0x80) return (c[2] >= 0x8e && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae);
    return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
}

/* The printable form of what begins at `text`; returns the bytes it stands for. */
static size_t next_piece(const char *text, size_t left, char out[16]) {
    const uint8_t *c = (const uint8_t *)text;
    size_t length = ms_utf8_length(text, left);
    if (length > 0 && !is_control(c, length)) {
        memcpy(out, text, length);
        out[length] = '\0';
        return length;
    }
    const char *name = c[0] == '\n' ? "\\n" : c[0] == '\r' ? "\\r" : c[0] == '\t' ? "\\t" : NULL;
    if (name) {
        memcpy(out, name, 3);
        return 1;
    }
    if (length == 0) length = 1;
    for (size_t i = 0; i < length; i++) snprintf(out + 4 * i, 5, "\\x%02X", (unsigned)c[i]);
    return length;
}

char *ms_escape(const char *text, char *out, size_t size) {
    size_t n = 0, left = strlen(text);
    while (left > 0) {
        char piece[16];
        size_t taken = next_piece(text, left, piece), length = strlen(piece);
        if (n + length >= size) break;
        memcpy(out + n, piece, length);
        n += length;
        text += taken;
        left -= taken;
    }
    out[n] = '\0';
    return out;
}
