#include "tracker/exact_text.h"

#include <stdint.h>
#include <string.h>

static char *put(char *text, uint64_t bits, int digits) {
    for (int i = digits - 1; i >= 0; i--, bits >>= 4) text[i] = "0123456789abcdef"[bits & 15];
    return text + digits;
}

static const char *take(const char *text, int digits, uint64_t *out_bits) {
    *out_bits = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return NULL;
        *out_bits = *out_bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return text + digits;
}

char *ms_exact_put_f64(char *text, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put(text, bits, MS_EXACT_F64);
}

char *ms_exact_put_f32(char *text, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put(text, bits, MS_EXACT_F32);
}

const char *ms_exact_take_f64(const char *text, double *out) {
    uint64_t bits;
    text = take(text, MS_EXACT_F64, &bits);
    memcpy(out, &bits, sizeof bits);
    return text;
}

const char *ms_exact_take_f32(const char *text, float *out) {
    uint64_t bits;
    text = take(text, MS_EXACT_F32, &bits);
    uint32_t low = (uint32_t)bits;
    memcpy(out, &low, sizeof low);
    return text;
}
