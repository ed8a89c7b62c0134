// sigmoid, for the shaders of swiglu: see backend/cpu/sigmoid.h.  Include after elementwise.glsl.
#define MS_EXACT_GLSL
#include "backend/exact.h"

vec4 ms_sigmoid(vec4 x) {
    vec4 minus_magnitude = uintBitsToFloat(floatBitsToUint(x) | 0x80000000u), inverse, e;
    [[unroll]] for (uint k = 0u; k < 4u; k++) {
        e[k] = ms_exp(minus_magnitude[k]);
        precise float denominator = 1.0 + e[k];
        inverse[k] = ms_reciprocal(denominator);
    }
    precise vec4 result = mix(vec4(1.0), e, ms_is_negative(x)) * inverse;
    return result;
}
