#include "platform/escape.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Escapes what fits into `size` bytes with the NUL, and returns how much of the text that is. */
static size_t escape_some(const char *text, size_t left, char *out, size_t size) {
    size_t n = 0, done = 0;
    while (done < left) {
        char piece[16];
        size_t taken = next_piece(text + done, left - done, piece), length = strlen(piece);
        if (n + length >= size) break;
        memcpy(out + n, piece, length);
        n += length;
        done += taken;
    }
    out[n] = '\0';
    return done;
}

char *ms_escape(const char *text, char *out, size_t size) {
    escape_some(text, strlen(text), out, size);
    return out;
}

/* The longest end of the text whose escaped form fits into `size` bytes with the NUL: where it begins. */
static size_t find_end(const char *text, size_t length, size_t size, char *scratch) {
    size_t begin = length > size ? length - size : 0;
    for (;; begin++) {
        bool within = ((unsigned char)text[begin] & 0xC0) == 0x80; /* a character */
        if (!within && escape_some(text + begin, length - begin, scratch, size) == length - begin) return begin;
    }
}

static void escape_or_cut(const char *text, size_t length, char *out, size_t size) {
    enum { MARK = 40 }; /* bytes for the words between, at most */
    size_t done = escape_some(text, length, out, size);
    if (done == length) return;
    size -= size / 4; /* and a note that is put before the line later fits */
    size_t end_size = size / 4, begin = find_end(text, length, end_size, out);
    done = escape_some(text, begin, out, size - end_size - MARK);
    size_t n = strlen(out);
    n += (size_t)snprintf(out + n, size - n, "... (%zu bytes) ...", begin - done);
    escape_some(text + begin, length - begin, out + n, size - n);
}

char *ms_escape_format(char *out, size_t size, const char *format, va_list arguments) {
    char text[1024], *whole = NULL;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (length >= (int)sizeof text && (whole = malloc((size_t)length + 1)) != NULL)
        length = vsnprintf(whole, (size_t)length + 1, format, again);
    va_end(again);
    if (length < 0) text[0] = '\0';
    const char *from = whole ? whole : text;
    escape_or_cut(from, strlen(from), out, size);
    free(whole);
    return out;
}
