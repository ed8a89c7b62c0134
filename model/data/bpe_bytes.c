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
