#include "model/data/text_class.h"

#include <stdint.h>
#include <utf8proc.h>

static bool is_space(utf8proc_int32_t c) {
    return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_word(utf8proc_int32_t c) {
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default: /* joiners, and the symbols that are alphabetic: letters in circles and squares */
        return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
               (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* The first character of a text that is not empty, and its size. */
static utf8proc_int32_t first(const char *text, size_t size_bytes, size_t *out_bytes) {
    utf8proc_int32_t c = -1;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size_bytes, &c);
    *out_bytes = n > 0 ? (size_t)n : 1;
    return c;
}

/* The last one. */
static utf8proc_int32_t last(const char *text, size_t size_bytes, size_t *out_bytes) {
    size_t begin = size_bytes - 1;
    while (begin > 0 && ((uint8_t)text[begin] & 0xc0) == 0x80) begin--;
    return first(text + begin, size_bytes - begin, out_bytes);
}

size_t ms_space_at_start(const char *text, size_t size_bytes) {
    size_t at = 0, n;
    while (at < size_bytes && is_space(first(text + at, size_bytes - at, &n))) at += n;
    return at;
}

size_t ms_space_at_end(const char *text, size_t size_bytes) {
    size_t left = size_bytes, n;
    while (left > 0 && is_space(last(text, left, &n))) left -= n;
    return size_bytes - left;
}

bool ms_begins_with_word(const char *text, size_t size_bytes) {
    size_t n;
    return size_bytes > 0 && is_word(first(text, size_bytes, &n));
}

bool ms_ends_in_word(const char *text, size_t size_bytes) {
    size_t n;
    return size_bytes > 0 && is_word(last(text, size_bytes, &n));
}
