#include "platform/utf8.h"

#include <stdint.h>
#include <string.h>

/* The ranges of the second byte are those of RFC 3629, section 4. */
size_t ms_utf8_length(const char *text, size_t left) {
    const uint8_t *s = (const uint8_t *)text;
    uint8_t lead = s[0], low = 0x80, high = 0xbf;
    if (lead < 0x80) return 1;
    size_t length;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return length;
}

size_t ms_utf8_check(const char *text, size_t size_bytes) {
    const uint8_t *bytes = (const uint8_t *)text;
    size_t i = 0;
    while (i < size_bytes) {
        uint64_t word;
        if (size_bytes - i >= sizeof word) {
            memcpy(&word, bytes + i, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof word;
                continue;
            }
        }
        size_t length = ms_utf8_length(text + i, size_bytes - i);
        if (length == 0) return i;
        i += length;
    }
    return size_bytes;
}
