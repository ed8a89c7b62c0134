#include "model/data/bpe_bytes.h"

#include <string.h>

static bool is_printable(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The bytes that are not printable, in order: 0x00..0x20, 0x7f..0xa0, 0xad. */
enum { N_LOW = 0x21, N_HIGH = 0x22, N_UNPRINTABLE = N_LOW + N_HIGH + 1 };

uint32_t ms_bpe_symbol(uint8_t byte) {
    if (is_printable(byte)) return byte;
    return 256u + (byte < N_LOW ? byte : byte == 0xad ? N_LOW + N_HIGH : byte - 0x7fu + N_LOW);
}

void ms_bpe_symbol_order(uint8_t out_order[256]) {
    size_t n = 0;
    for (unsigned byte = 0; byte < 256; byte++)
        if (is_printable(byte)) out_order[n++] = (uint8_t)byte;
    for (unsigned byte = 0; byte < 256; byte++)
        if (!is_printable(byte)) out_order[n++] = (uint8_t)byte;
}

size_t ms_bpe_from_bytes(const uint8_t *bytes, size_t size_bytes, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        uint32_t symbol = ms_bpe_symbol(bytes[i]);
        if (symbol < 0x80) {
            out[n++] = (char)symbol;
        } else {
            out[n++] = (char)(0xc0 | symbol >> 6);
            out[n++] = (char)(0x80 | (symbol & 0x3f));
        }
    }
    return n;
}

/* The byte that a character stands for, or -1. */
static int byte_of_symbol(uint32_t symbol) {
    if (symbol < 256) return is_printable(symbol) ? (int)symbol : -1;
    uint32_t i = symbol - 256;
    if (i >= N_UNPRINTABLE) return -1;
    return (int)(i < N_LOW ? i : i < N_LOW + N_HIGH ? i - N_LOW + 0x7f : 0xad);
}

bool ms_bpe_to_bytes(const char *text, size_t size_bytes, uint8_t *out, size_t *out_size_bytes) {
    *out_size_bytes = 0;
    size_t i = 0, n = 0;
    while (i < size_bytes) {
        uint8_t lead = (uint8_t)text[i++];
        uint32_t symbol = lead;
        if (lead >= 0x80) {
            /* All characters of the alphabet are below U+0800: two bytes. */
            if ((lead & 0xe0) != 0xc0 || i == size_bytes) return false;
            symbol = (uint32_t)(lead & 0x1f) << 6 | ((uint8_t)text[i++] & 0x3f);
        }
        int byte = byte_of_symbol(symbol);
        if (byte < 0) return false;
        out[n++] = (uint8_t)byte;
    }
    *out_size_bytes = n;
    return true;
}

/* Length of the well-formed sequence at `s` with `left` bytes available; 0 when it is not one.  The ranges of the
   second byte are those of RFC 3629, section 4. */
static size_t sequence_length(const uint8_t *s, size_t left) {
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
        size_t length = sequence_length(bytes + i, size_bytes - i);
        if (length == 0) return i;
        i += length;
    }
    return size_bytes;
}
