// What attention adds up, of GPUs (attention_tile.glsl) and software drivers (attention.glsl) alike.
//
// Sums start at -0, the neutral element of addition, and an absent term is -0: "starts from its first term" and "later keys are part
// of no sum" are then exact without conditions.  What a row does not see is left out by selection and never by a weight of 0, which
// an infinity or a NaN would turn into a NaN.
#define MS_EXACT_GLSL
#include "backend/exact.h"
#include "backend/exact_constants.h"

#ifdef MS_FAST
#define PRECISE
#else
#define PRECISE precise
#endif

#define ABSENT uintBitsToFloat(0x80000000u)

// sum + weight * term.
vec4 add_weighted(vec4 sum, float weight, vec4 term) {
    PRECISE vec4 product = weight * term;
    PRECISE vec4 result = sum + product;
    return result;
}

// The same where the row sees the term, else sum.
vec4 add_seen(vec4 sum, float weight, vec4 term, bool is_seen) {
#ifdef MS_FAST
    return mix(sum, sum + weight * term, bvec4(is_seen));
#else
    precise vec4 product = weight * term;
    precise vec4 result = sum + mix(vec4(ABSENT), product, bvec4(is_seen));
    return result;
#endif
}

// p = exp(product scale - lse), of the gradients.
float probability(float product, float scale, float row_lse) {
    PRECISE float scaled = product * scale;
    PRECISE float below = scaled - row_lse;
    return ms_exp(below);
}
