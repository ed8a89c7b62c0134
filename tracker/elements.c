#include "tracker/elements.h"

#include <stdint.h>
#include <string.h>

bool ms_element_parse(const char *name, ms_element *out) {
    static const char *const names[] = {
        [MS_ELEMENT_F32] = "F32", [MS_ELEMENT_F64] = "F64", [MS_ELEMENT_F16] = "F16", [MS_ELEMENT_BF16] = "BF16"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (ms_element)i;
        return true;
    }
    return false;
}

size_t ms_element_size(ms_element type) {
    static const size_t sizes[] = {
        [MS_ELEMENT_F32] = 4, [MS_ELEMENT_F64] = 8, [MS_ELEMENT_F16] = 2, [MS_ELEMENT_BF16] = 2};
    return sizes[type];
}

static float f32_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: exponent and fraction moved into binary32, whose exponents are 112 larger.  Subnormal numbers,
   with an exponent of 0, get the leading 1 of an exponent of 1 by the same move, and lose it by a subtraction.  No
   branch, so that a loop of them is vectorised. */
static float f32_of_f16(uint16_t half) {
    const float smallest_normal = 0x1p-14f;
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
    uint32_t exponent = rest & 0x0f800000;
    uint32_t larger = exponent == 0x0f800000 ? 224u << 23 : exponent == 0 ? 113u << 23 : 112u << 23;
    float value = f32_of_bits(rest + larger) - (exponent == 0 ? smallest_normal : 0);
    return sign ? -value : value;
}

void ms_elements_to_f64(ms_element type, const void *array, size_t first, size_t n, double *out) {
    const char *bytes = (const char *)array + first * ms_element_size(type);
    switch (type) {
    case MS_ELEMENT_F64:
        memcpy(out, bytes, n * sizeof *out);
        return;
    case MS_ELEMENT_F32:
        for (size_t i = 0; i < n; i++) {
            float value;
            memcpy(&value, bytes + i * sizeof value, sizeof value);
            out[i] = value;
        }
        return;
    case MS_ELEMENT_F16:
        for (size_t i = 0; i < n; i++) {
            uint16_t half;
            memcpy(&half, bytes + i * sizeof half, sizeof half);
            out[i] = f32_of_f16(half);
        }
        return;
    case MS_ELEMENT_BF16:
        for (size_t i = 0; i < n; i++) {
            uint16_t brain;
            memcpy(&brain, bytes + i * sizeof brain, sizeof brain);
            out[i] = f32_of_bits((uint32_t)brain << 16);
        }
        return;
    }
}
