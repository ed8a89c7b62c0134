// sigmoid, for the shaders of swiglu: see backend/cpu/sigmoid.h.  Include after elementwise.glsl.
#define MS_EXACT_GLSL
#include "backend/exact.h"

// 1 / (1 + e^-|x|), times e^-|x| when x < 0
float sigmoid(float x, bool is_negative) {
    float e = ms_exp(uintBitsToFloat(floatBitsToUint(x) | 0x80000000u));
    precise float denominator = 1.0 + e;
    precise float result = (is_negative ? e : 1.0) * ms_reciprocal(denominator);
    return result;
}

vec4 ms_sigmoid(vec4 x) {
    bvec4 negative = ms_is_negative(x);
    return vec4(sigmoid(x.x, negative.x), sigmoid(x.y, negative.y), sigmoid(x.z, negative.z), sigmoid(x.w, negative.w));
}
