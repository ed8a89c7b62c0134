/* The formula of every op that has no sum in it, once for all kernels: C (`exact`, and f64 as the oracle), CUDA and
   GLSL (define MS_EXACT_GLSL) include this file.  Written in the dialect of backend/exact.h: fixed operations, brackets
   as they stand, each result rounded once, no branches, so that loops over a formula vectorise.  In CUDA the formulas
   are members of a class that may stand in for ms_exp and ms_div (backend/cuda/ops/formulas.cuh).

   For an op of kind ELEMENTWISE in ops.def, ms_formula_<op> takes its inputs in their order and gives its one result,
   or both of two as a pair: all backends make its kernels from that.  Other ops call their formulas from kernels of
   their own, because they take factors, or numbers that are not one for each element.

   Pure functions: thread-safe, no errors. */
#ifndef MS_BACKEND_FORMULAS_H
#define MS_BACKEND_FORMULAS_H

#include "backend/exact.h"

MS_EXACT_STRUCT(ms_pair) { MS_EXACT_NUMBER first, second; };

MS_EXACT_FUNCTION ms_pair ms_pair_of(MS_EXACT_NUMBER first, MS_EXACT_NUMBER second) {
    ms_pair pair;
    pair.first = first;
    pair.second = second;
    return pair;
}

/* ---- arithmetic ---- */

/* mul, and axpby without x1: y = a x */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_mul(MS_EXACT_NUMBER a, MS_EXACT_NUMBER x) {
    MS_EXACT_VARIABLE y = MS_EXACT_MUL(a, x);
    return y;
}

/* axpby: y = (a x0) + (b x1) */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_axpby(MS_EXACT_NUMBER a, MS_EXACT_NUMBER x0, MS_EXACT_NUMBER b,
                                                   MS_EXACT_NUMBER x1) {
    MS_EXACT_VARIABLE y = MS_EXACT_ADD(MS_EXACT_MUL(a, x0), MS_EXACT_MUL(b, x1));
    return y;
}

/* same_sign: y = x1, or 0 where one of both is negative and the other positive; NaN where one is NaN */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_same_sign(MS_EXACT_NUMBER x0, MS_EXACT_NUMBER x1) {
    MS_EXACT_NUMBER opposite0 = -x0;
    MS_EXACT_NUMBER opposite1 = -x1;
    bool falls_apart = (MS_EXACT_IS_NEGATIVE(x0) && MS_EXACT_IS_NEGATIVE(opposite1)) ||
                       (MS_EXACT_IS_NEGATIVE(opposite0) && MS_EXACT_IS_NEGATIVE(x1));
    bool has_sign = MS_EXACT_IS_NEGATIVE(x0) || MS_EXACT_IS_NEGATIVE(opposite0);
    MS_EXACT_NUMBER rest = MS_EXACT_CHOOSE(has_sign, MS_EXACT_LITERAL(0.0), x0); /* 0 or NaN */
    MS_EXACT_VARIABLE y = MS_EXACT_ADD(MS_EXACT_CHOOSE(falls_apart, MS_EXACT_LITERAL(0.0), x1), rest);
    return y;
}

/* maximum: the larger of x0 and x1, -0 below +0, NaN where one is NaN (IEEE 754-2019).  So the largest of many has the
   same bits in every order. */
#if defined(MS_REAL_IS_DOUBLE)
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_maximum(MS_EXACT_NUMBER x0, MS_EXACT_NUMBER x1) {
    return x1 > x0 || x1 != x1 ? x1 : x0;
}
#else
/* Integers in the order of the numbers, NaN above all. */
MS_EXACT_FUNCTION MS_EXACT_U32 ms_formula_rank(MS_EXACT_NUMBER x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x);
    MS_EXACT_U32 rank = bits ^ ((0u - (bits >> 31)) | 0x80000000u);
    return MS_EXACT_SELECT((bits & MS_EXACT_ABS) > MS_EXACT_INFINITY, 0xffffffffu, rank);
}

MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_maximum(MS_EXACT_NUMBER x0, MS_EXACT_NUMBER x1) {
    return MS_EXACT_CHOOSE(ms_formula_rank(x1) > ms_formula_rank(x0), x1, x0);
}
#endif

/* ---- feed-forward ---- */

/* x < 0 ? 0 : x, so that NaN stays */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_relu(MS_EXACT_NUMBER x) {
    return MS_EXACT_CHOOSE(MS_EXACT_IS_NEGATIVE(x), MS_EXACT_LITERAL(0.0), x);
}

/* relu2: y = r r with r = relu(x).  Primer (So et al. 2021). */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_relu2(MS_EXACT_NUMBER x) {
    MS_EXACT_NUMBER r = ms_formula_relu(x);
    MS_EXACT_VARIABLE y = MS_EXACT_MUL(r, r);
    return y;
}

/* relu2_grad: dx = (2 r) dy */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_relu2_grad(MS_EXACT_NUMBER x, MS_EXACT_NUMBER dy) {
    MS_EXACT_VARIABLE dx = MS_EXACT_MUL(MS_EXACT_MUL(MS_EXACT_LITERAL(2.0), ms_formula_relu(x)), dy);
    return dx;
}

/* e = exp(-|x|); 1 / (1 + e), times e when x < 0.  exp is 0 beyond 41.5, so that no subnormal appears. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_sigmoid(MS_EXACT_NUMBER x) {
    MS_EXACT_NUMBER opposite = -x;
    MS_EXACT_NUMBER e = ms_exp(MS_EXACT_CHOOSE(MS_EXACT_IS_NEGATIVE(x), x, opposite));
    MS_EXACT_NUMBER numerator = MS_EXACT_CHOOSE(MS_EXACT_IS_NEGATIVE(x), e, MS_EXACT_LITERAL(1.0));
    MS_EXACT_VARIABLE denominator = MS_EXACT_ADD(MS_EXACT_LITERAL(1.0), e);
    return ms_div(numerator, denominator);
}

/* swiglu: y = (gate sigmoid(gate)) up.  Shazeer 2020. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_swiglu(MS_EXACT_NUMBER gate, MS_EXACT_NUMBER up) {
    MS_EXACT_VARIABLE y = MS_EXACT_MUL(MS_EXACT_MUL(gate, ms_formula_sigmoid(gate)), up);
    return y;
}

/* swiglu_grad: dgate = (dy up) (s (1 + gate (1 - s))), dup = dy (gate s), with s = sigmoid(gate) */
MS_EXACT_FUNCTION ms_pair ms_formula_swiglu_grad(MS_EXACT_NUMBER gate, MS_EXACT_NUMBER up, MS_EXACT_NUMBER dy) {
    MS_EXACT_NUMBER s = ms_formula_sigmoid(gate);
    MS_EXACT_VARIABLE rest = MS_EXACT_SUB(MS_EXACT_LITERAL(1.0), s);
    MS_EXACT_VARIABLE slope = MS_EXACT_MUL(s, MS_EXACT_ADD(MS_EXACT_LITERAL(1.0), MS_EXACT_MUL(gate, rest)));
    MS_EXACT_VARIABLE dgate = MS_EXACT_MUL(MS_EXACT_MUL(dy, up), slope);
    MS_EXACT_VARIABLE dup = MS_EXACT_MUL(dy, MS_EXACT_MUL(gate, s));
    return ms_pair_of(dgate, dup);
}

/* u = sqrt(2/pi) (x + (0.044715 x^2) x), whose tanh the two below take. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_gelu_argument(MS_EXACT_NUMBER x) {
    MS_EXACT_VARIABLE scaled = MS_EXACT_MUL(MS_EXACT_LITERAL(0.044715), MS_EXACT_MUL(x, x));
    MS_EXACT_VARIABLE u = MS_EXACT_MUL(MS_EXACT_LITERAL(0.79788456080286536), MS_EXACT_ADD(x, MS_EXACT_MUL(scaled, x)));
    return u;
}

/* gelu_tanh: y = (x/2) (1 + tanh u).  Hendrycks & Gimpel 2016, in the form that GPT-2 takes. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_gelu_tanh(MS_EXACT_NUMBER x) {
    MS_EXACT_NUMBER t = ms_tanh(ms_formula_gelu_argument(x));
    MS_EXACT_VARIABLE half_x = MS_EXACT_MUL(MS_EXACT_LITERAL(0.5), x);
    MS_EXACT_VARIABLE y = MS_EXACT_MUL(half_x, MS_EXACT_ADD(MS_EXACT_LITERAL(1.0), t));
    return y;
}

/* gelu_tanh_grad: dx = ((1 + t)/2 + ((x/2) ((1 - t) (1 + t))) u') dy with t = tanh u and
   u' = sqrt(2/pi) (1 + (3 * 0.044715) x^2) */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_gelu_tanh_grad(MS_EXACT_NUMBER x, MS_EXACT_NUMBER dy) {
    MS_EXACT_NUMBER t = ms_tanh(ms_formula_gelu_argument(x));
    MS_EXACT_VARIABLE half_x = MS_EXACT_MUL(MS_EXACT_LITERAL(0.5), x);
    MS_EXACT_VARIABLE above = MS_EXACT_ADD(MS_EXACT_LITERAL(1.0), t);
    MS_EXACT_VARIABLE below = MS_EXACT_SUB(MS_EXACT_LITERAL(1.0), t);
    MS_EXACT_VARIABLE scaled = MS_EXACT_MUL(MS_EXACT_LITERAL(0.134145), MS_EXACT_MUL(x, x));
    MS_EXACT_VARIABLE inner =
        MS_EXACT_MUL(MS_EXACT_LITERAL(0.79788456080286536), MS_EXACT_ADD(MS_EXACT_LITERAL(1.0), scaled));
    MS_EXACT_VARIABLE bend = MS_EXACT_MUL(MS_EXACT_MUL(half_x, MS_EXACT_MUL(below, above)), inner);
    MS_EXACT_VARIABLE slope = MS_EXACT_ADD(MS_EXACT_MUL(MS_EXACT_LITERAL(0.5), above), bend);
    MS_EXACT_VARIABLE dx = MS_EXACT_MUL(slope, dy);
    return dx;
}

/* ---- optimizer ---- */

/* ema_nesterov: g' = factor g (g without clip); m' = (b m) + ((1 - b) g'); u = ((1 - b) g') + (b m') with nesterov,
   else m'.  rest: 1 - b.  The pair is m', u. */
MS_EXACT_FUNCTION ms_pair ms_formula_ema_nesterov(MS_EXACT_NUMBER m, MS_EXACT_NUMBER gradient, MS_EXACT_NUMBER b,
                                                  MS_EXACT_NUMBER rest, bool nesterov) {
    MS_EXACT_VARIABLE part = MS_EXACT_MUL(rest, gradient);
    MS_EXACT_VARIABLE m_new = MS_EXACT_ADD(MS_EXACT_MUL(b, m), part);
    MS_EXACT_VARIABLE ahead = MS_EXACT_ADD(part, MS_EXACT_MUL(b, m_new));
    return ms_pair_of(m_new, MS_EXACT_CHOOSE(nesterov, ahead, m_new));
}

/* 0 below 2^-80 in `exact`, so that no subnormal arises. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_flush_small(MS_EXACT_NUMBER v) {
#if defined(MS_REAL_IS_DOUBLE)
    return v;
#elif defined(MS_EXACT_GLSL)
    bool is_small = (MS_EXACT_BITS(v) & MS_EXACT_ABS) < 0x17800000u; /* by bits: NaN stays */
    return MS_EXACT_CHOOSE(is_small || MS_EXACT_IS_NEGATIVE(v), 0.0, v);
#else
    return v < 8.27180613e-25f ? 0.0f : v;
#endif
}

/* adamw (Kingma & Ba 2015; Loshchilov & Hutter 2019), its moments: m' = (b1 m) + ((1 - b1) g);
   v' = (b2 v) + (((1 - b2) g) g), small ones 0.  rest1, rest2: 1 - b1, 1 - b2.  The pair is m', v'. */
MS_EXACT_STRUCT(ms_adamw_rates) { MS_EXACT_NUMBER beta1, rest1, beta2, rest2; };

MS_EXACT_FUNCTION ms_pair ms_formula_adamw_moments(MS_EXACT_NUMBER m, MS_EXACT_NUMBER v, MS_EXACT_NUMBER gradient,
                                                   ms_adamw_rates rates) {
    MS_EXACT_VARIABLE m_new = MS_EXACT_ADD(MS_EXACT_MUL(rates.beta1, m), MS_EXACT_MUL(rates.rest1, gradient));
    MS_EXACT_VARIABLE v_new =
        MS_EXACT_ADD(MS_EXACT_MUL(rates.beta2, v), MS_EXACT_MUL(MS_EXACT_MUL(rates.rest2, gradient), gradient));
    return ms_pair_of(m_new, ms_formula_flush_small(v_new));
}

/* and its step: delta = lr ((m' inverse_bias1) / (sqrt(v' inverse_bias2) + epsilon) + decay w) */
MS_EXACT_STRUCT(ms_adamw_step) { MS_EXACT_NUMBER lr, inverse_bias1, inverse_bias2, epsilon, decay; };

MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_adamw_delta(MS_EXACT_NUMBER m_new, MS_EXACT_NUMBER v_new,
                                                         MS_EXACT_NUMBER w, ms_adamw_step step) {
    MS_EXACT_VARIABLE square = MS_EXACT_MUL(v_new, step.inverse_bias2);
    MS_EXACT_VARIABLE root = MS_EXACT_ADD(ms_sqrt(square), step.epsilon);
    MS_EXACT_VARIABLE corrected = MS_EXACT_MUL(m_new, step.inverse_bias1);
    MS_EXACT_VARIABLE change = MS_EXACT_ADD(ms_div(corrected, root), MS_EXACT_MUL(step.decay, w));
    MS_EXACT_VARIABLE delta = MS_EXACT_MUL(step.lr, change);
    return delta;
}

/* scale_by_inverse_norm: r = 1 / (factor sqrt(ss) + epsilon); y = x r is mul. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_inverse_norm(MS_EXACT_NUMBER ss, MS_EXACT_NUMBER factor,
                                                          MS_EXACT_NUMBER epsilon) {
    MS_EXACT_VARIABLE norm = MS_EXACT_ADD(MS_EXACT_MUL(factor, ms_sqrt(ss)), epsilon);
    return ms_reciprocal(norm);
}

/* ---- random_normal ---- */

/* 1 + (low 23 bits) 2^-23: exact in both precisions. */
MS_EXACT_FUNCTION MS_EXACT_NUMBER ms_formula_one_to_two(MS_EXACT_U32 bits) {
    return MS_EXACT_FLOAT(0x3f800000u | (bits & 0x007fffffu));
}

/* A pair by Box & Muller (1958): u = 2 - (1 + (word0 >> 9) 2^-23) in (0, 1];  radius = sqrt(-2 log u);  the angle is a
   quarter turn times (word1 >> 30) + t + 1/2 with t = (1 + (word1 & (2^23 - 1)) 2^-23) - 3/2 in [-1/2, 1/2);  the pair
   is deviation (radius cos), deviation (radius sin).  The half quarter turn is left out, which only turns the pair's
   isotropic distribution. */
MS_EXACT_FUNCTION ms_pair ms_formula_normal_pair(MS_EXACT_U32 word0, MS_EXACT_U32 word1, MS_EXACT_NUMBER deviation) {
    MS_EXACT_VARIABLE u = MS_EXACT_SUB(MS_EXACT_LITERAL(2.0), ms_formula_one_to_two(word0 >> 9));
    MS_EXACT_VARIABLE squared = MS_EXACT_MUL(MS_EXACT_LITERAL(-2.0), ms_log(u));
    MS_EXACT_NUMBER radius = ms_sqrt(squared);
    MS_EXACT_VARIABLE t = MS_EXACT_SUB(ms_formula_one_to_two(word1), MS_EXACT_LITERAL(1.5));
    MS_EXACT_NUMBER c = ms_cos_quarter(t);
    MS_EXACT_NUMBER s = ms_sin_quarter(t);
    MS_EXACT_U32 quadrant = word1 >> 30;
    bool is_turned = (quadrant & 1u) != 0u; /* by 90 degrees: (-s, c) */
    MS_EXACT_NUMBER x = MS_EXACT_CHOOSE(is_turned, s, c);
    MS_EXACT_NUMBER y = MS_EXACT_CHOOSE(is_turned, c, s);
    MS_EXACT_NUMBER x_opposite = -x;
    MS_EXACT_NUMBER y_opposite = -y;
    x = MS_EXACT_CHOOSE(quadrant == 1u || quadrant == 2u, x_opposite, x);
    y = MS_EXACT_CHOOSE(quadrant >= 2u, y_opposite, y);
    MS_EXACT_VARIABLE first = MS_EXACT_MUL(deviation, MS_EXACT_MUL(radius, x));
    MS_EXACT_VARIABLE second = MS_EXACT_MUL(deviation, MS_EXACT_MUL(radius, y));
    return ms_pair_of(first, second);
}

#endif
