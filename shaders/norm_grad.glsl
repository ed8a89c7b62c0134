// The gradient of an RMS norm over rows, four numbers at a time, with n = x rstd and t = dy gain: see backend/cpu/norm.h.

// Terms of the mean s.
vec4 ms_norm_grad_term(vec4 n, vec4 t) {
    precise vec4 term = t * n;
    return term;
}

// (t - n s) rstd
vec4 ms_norm_grad_result(vec4 n, vec4 t, float s, float rstd) {
    precise vec4 dx = (t - n * s) * rstd;
    return dx;
}
