/* bfloat16: the upper half of a binary32.  Rounding to nearest even by integer operations; a NaN stays a (quiet) NaN.
   Pure functions. */
#ifndef MS_PLATFORM_BF16_H
#define MS_PLATFORM_BF16_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t ms_bf16_from_f32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t nan = (bits >> 16) | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float ms_f32_from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* Directly: by way of the nearest f32 some numbers would be rounded twice, the second time from a tie that the first
   made. The f32 between is rounded to odd instead, which keeps on which side of every tie the number was (Boldo &
   Melquiond 2008). */
static inline uint16_t ms_bf16_from_f64(double x) {
    float nearest = (float)x;
    bool exact = (double)nearest == x, is_nan = x != x;
    bool away = (x < 0 ? -(double)nearest : (double)nearest) > (x < 0 ? -x : x);
    uint32_t bits;
    memcpy(&bits, &nearest, sizeof bits);
    if (!exact && !is_nan) bits = (bits - (away ? 1u : 0u)) | 1u;
    float odd;
    memcpy(&odd, &bits, sizeof odd);
    return ms_bf16_from_f32(odd);
}

/* For sources that are compiled in both precisions. */
#ifdef MS_REAL_IS_DOUBLE
#define MS_BF16_FROM_REAL(x) ms_bf16_from_f64(x)
#else
#define MS_BF16_FROM_REAL(x) ms_bf16_from_f32(x)
#endif

#endif
