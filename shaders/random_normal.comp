#version 460
#extension GL_GOOGLE_include_directive : require
// random_normal: y = deviation * standard normal, by Philox4x32-10 (Salmon et al. 2011) and Box & Muller (1958): a quad is one counter.
// Definition: backend/cpu/random_normal.c, platform/random.c.  A step outside of [0, 2^24] is reported, and nothing is written.
#include "shaders/common.glsl"
#include "shaders/elementwise.glsl"
#define MS_EXACT_GLSL
#include "backend/formulas.h"

layout(constant_id = 5) const uint HAS_STEP = 0u;
layout(constant_id = 6) const uint STEP_SCALAR = 0u; // which step scalar holds the step

layout(push_constant) uniform Push {
    F32 y, step_scalars;
    Words fault;
    Coefficient deviation;
    uint key_low, key_high, count, node;
};

uvec4 philox(uint counter, uint step_number) {
    uvec4 c = uvec4(counter, 0u, step_number, 0u); // fewer than 2^32 counters: the second word is 0
    uvec2 key = uvec2(key_low, key_high);
    [[unroll]] for (uint i = 0u; i < 10u; i++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, c.x, high0, low0);
        umulExtended(0xCD9E8D57u, c.z, high1, low1);
        c = uvec4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

void main() {
    uint step_number = 0u;
    if (HAS_STEP != 0u) {
        float value = step_scalars.x[STEP_SCALAR];
        uint bits = floatBitsToUint(value);
        if (bits > 0x4b800000u && bits != 0x80000000u) { // above 2^24, negative or NaN
            ms_report_fault(fault, node, bits > 0x80000000u ? -1 : int(min(value, 2147483520.0)));
            return;
        }
        step_number = uint(value);
    }
    float scale = ms_coefficient(deviation, step_scalars);
    for (uint k = 0u; k < ITEMS; k++) {
        uint i = ms_quad_begin(k);
        if (i >= count) return;
        uvec4 words = philox(i / 4u, step_number);
        ms_pair low = ms_formula_normal_pair(words.x, words.y, scale), high = ms_formula_normal_pair(words.z, words.w, scale);
        ms_store4(y, i, count, MS_F32, vec4(low.first, low.second, high.first, high.second));
    }
}
