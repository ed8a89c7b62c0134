// RMS norm and its gradient, four numbers at a time: see backend/cpu/norm.h.
#define MS_EXACT_GLSL
#include "backend/exact.h"

// rsqrt(sum of squares (1/C) + epsilon)
float ms_norm_rstd(float sum_squares, float inverse_count, float epsilon) {
    precise float mean = sum_squares * inverse_count + epsilon;
    return ms_rsqrt(mean);
}

vec4 ms_norm_apply(vec4 x, vec4 gain, float rstd) {
    precise vec4 y = (x * rstd) * gain;
    return y;
}

// Terms of the gradient's mean.
vec4 ms_norm_term(vec4 x, vec4 gain, vec4 dy, float rstd) {
    precise vec4 term = (dy * gain) * (x * rstd);
    return term;
}

// s: the mean of the terms.
vec4 ms_norm_gradient(vec4 x, vec4 gain, vec4 dy, float rstd, float s) {
    precise vec4 dx = (dy * gain - (x * rstd) * s) * rstd;
    return dx;
}
