/* bfloat16: the upper half of a binary32.  Rounding to nearest even by integer operations; a NaN stays a (quiet) NaN.
   Pure functions. */
#ifndef MS_BACKEND_CPU_BF16_H
#define MS_BACKEND_CPU_BF16_H

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

#endif
