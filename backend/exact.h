/* Scalar functions of `exact` numerics: ms_exp, ms_log, ms_reciprocal, ms_rsqrt, ms_div, ms_sqrt, ms_tanh,
   ms_sin_quarter and ms_cos_quarter, as fixed sequences of IEEE-754 binary32 add, sub, mul, compare and integer
   operations, round to nearest even, never contracted to FMA, without branches, so that loops over them vectorise.  The
   same text serves C (compiled with -ffp-contract=off), CUDA (__fadd_rn, __fmul_rn) and GLSL (`precise`; define
   MS_EXACT_GLSL): the same bits on all.

   With MS_REAL_IS_DOUBLE the same names are the f64 oracle: plain libm.

   No function produces a subnormal (results below 2^-126 are 0), and subnormal arguments of all but ms_exp count as 0
   of their sign.  Special values are told apart by their bits, because some shader compilers get comparisons with NaN
   wrong. A NaN argument gives a NaN.  The bits of a NaN are not defined.

   Largest error against f64 libm over every float of the domain (tests/ops/exact.c measures a sample on each run, and
   all of them with MS_EXACT_ALL=1):
     ms_exp          1.02 ulp   x in [-41.5, 88.7228]; 0 below -41.5, infinity above
     ms_log          0.85 ulp   normal positive x
     ms_reciprocal   1.24 ulp   normal |x| <= 2^126; signed 0 above, signed infinity for 0
     ms_rsqrt        1.22 ulp   normal positive x; infinity for 0, NaN below
     ms_sqrt         1.91 ulp   normal positive x; 0 for 0, NaN below
     ms_tanh         1.52 ulp   every normal x; odd to the bit, 1 from 9.02 on
     ms_sin_quarter  1.74 ulp   |t| <= 1/2
     ms_cos_quarter  1.24 ulp   |t| <= 1/2

   Pure functions: thread-safe, no errors.  Coefficients are weighted least-maximum fits made for this file; two-part
   log 2: Cody & Waite, Software Manual for the Elementary Functions (1980); reciprocal and rsqrt: Newton steps.

   backend/formulas.h is written in the same dialect, and is compiled in f64 too:
     MS_EXACT_NUMBER       f32, or f64 in the oracle: arguments and results
     MS_EXACT_VARIABLE     a number that holds the result of arithmetic: each result stands in one
     MS_EXACT_LITERAL(x)   a number as written
     MS_EXACT_STRUCT(name) begins the definition of a type
     MS_EXACT_CHOOSE       a where the condition holds, else b; both are evaluated
     MS_EXACT_IS_NEGATIVE  x < 0; false for -0 and NaN */
#ifndef MS_BACKEND_EXACT_H
#define MS_BACKEND_EXACT_H

#if !defined(MS_EXACT_GLSL) && !defined(__CUDACC__)
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
static inline uint32_t ms_exact_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float ms_exact_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* By masks: GCC turns ?: into branches, sinks the arithmetic into them, and then vectorises that as masked code. */
static inline uint32_t ms_exact_select(uint32_t condition, uint32_t a, uint32_t b) {
    return b ^ ((a ^ b) & (0u - condition));
}
#endif

#if defined(MS_EXACT_GLSL) || defined(__cplusplus)
#define MS_EXACT_STRUCT(name) struct name
#else
#define MS_EXACT_STRUCT(name)                                                                                          \
    typedef struct name name;                                                                                          \
    struct name
#endif

#ifdef MS_REAL_IS_DOUBLE

#include <math.h>

#define MS_EXACT_FUNCTION static inline
#define MS_EXACT_NUMBER double
#define MS_EXACT_VARIABLE double
#define MS_EXACT_LITERAL(x) x
#define MS_EXACT_U32 uint32_t
#define MS_EXACT_FLOAT(bits) ms_exact_float(bits)
#define MS_EXACT_ADD(a, b) ((a) + (b))
#define MS_EXACT_SUB(a, b) ((a) - (b))
#define MS_EXACT_MUL(a, b) ((a) * (b))
#define MS_EXACT_CHOOSE(condition, a, b) ((condition) ? (a) : (b))
#define MS_EXACT_IS_NEGATIVE(x) ((x) < 0)
static inline double ms_exp(double x) { return exp(x); }
static inline double ms_log(double x) { return log(x); }
static inline double ms_reciprocal(double x) { return 1.0 / x; }
static inline double ms_rsqrt(double x) { return 1.0 / sqrt(x); }
static inline double ms_div(double a, double b) { return a / b; }
static inline double ms_sqrt(double x) { return sqrt(x); }
static inline double ms_tanh(double x) { return tanh(x); }
static inline double ms_sin_quarter(double t) { return sin(t * 1.57079632679489661923); }
static inline double ms_cos_quarter(double t) { return cos(t * 1.57079632679489661923); }

#else

/* The dialect: declarations, bit casts, and correctly rounded uncontracted arithmetic. */
#if defined(MS_EXACT_GLSL)
#define MS_EXACT_FUNCTION
#define MS_EXACT_F32 precise float
#define MS_EXACT_U32 uint
#define MS_EXACT_BITS(x) floatBitsToUint(x)
#define MS_EXACT_FLOAT(bits) uintBitsToFloat(bits)
#define MS_EXACT_ADD(a, b) ((a) + (b))
#define MS_EXACT_SUB(a, b) ((a) - (b))
#define MS_EXACT_MUL(a, b) ((a) * (b))
#define MS_EXACT_SELECT(condition, a, b) ((condition) ? (a) : (b))
#define MS_EXACT_NUMBER float
#define MS_EXACT_VARIABLE precise float
#define MS_EXACT_LITERAL(x) x
#define MS_EXACT_CHOOSE(condition, a, b) mix(b, a, condition)
#define MS_EXACT_IS_NEGATIVE(x) (floatBitsToUint(x) - 0x80000001u < 0x7f800000u)
#elif defined(__CUDACC__)
#define MS_EXACT_FUNCTION static __device__ __forceinline__
#define MS_EXACT_F32 float
#define MS_EXACT_U32 unsigned int
#define MS_EXACT_BITS(x) __float_as_uint(x)
#define MS_EXACT_FLOAT(bits) __uint_as_float(bits)
#define MS_EXACT_ADD(a, b) __fadd_rn(a, b)
#define MS_EXACT_SUB(a, b) __fsub_rn(a, b)
#define MS_EXACT_MUL(a, b) __fmul_rn(a, b)
#define MS_EXACT_SELECT(condition, a, b) ((condition) ? (a) : (b))
#define MS_EXACT_NUMBER float
#define MS_EXACT_VARIABLE float
#define MS_EXACT_LITERAL(x) x##f
#define MS_EXACT_CHOOSE(condition, a, b) ((condition) ? (a) : (b))
#define MS_EXACT_IS_NEGATIVE(x) ((x) < 0.0f)
#else
#define MS_EXACT_FUNCTION static inline
#define MS_EXACT_F32 float
#define MS_EXACT_U32 uint32_t
#define MS_EXACT_BITS(x) ms_exact_bits(x)
#define MS_EXACT_FLOAT(bits) ms_exact_float(bits)
#define MS_EXACT_ADD(a, b) ((a) + (b))
#define MS_EXACT_SUB(a, b) ((a) - (b))
#define MS_EXACT_MUL(a, b) ((a) * (b))
#define MS_EXACT_SELECT(condition, a, b) ms_exact_select((uint32_t)(condition), a, b)
#define MS_EXACT_NUMBER float
#define MS_EXACT_VARIABLE float
#define MS_EXACT_LITERAL(x) x##f
#define MS_EXACT_CHOOSE(condition, a, b) ((condition) ? (a) : (b))
#define MS_EXACT_IS_NEGATIVE(x) ((x) < 0)
#endif

#define MS_EXACT_NAN 0x7fc00000u
#define MS_EXACT_INFINITY 0x7f800000u
#define MS_EXACT_ABS 0x7fffffffu /* mask of all but the sign */
#define MS_EXACT_MIN 0x00800000u /* 2^-126 */

/* e^x = 2^n e^r with n = round(x / log 2); e^r = 1 + r + r^2 P(r).  Adding 1.5 * 2^23 rounds to an integer that then
   stands in the low bits. */
MS_EXACT_FUNCTION float ms_exp(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x), magnitude = bits & MS_EXACT_ABS;
    MS_EXACT_F32 shifted = MS_EXACT_ADD(MS_EXACT_MUL(x, 1.44269504f), 12582912.0f);
    MS_EXACT_F32 n = MS_EXACT_SUB(shifted, 12582912.0f);
    MS_EXACT_F32 r = MS_EXACT_SUB(x, MS_EXACT_MUL(n, 0.693145752f)); /* 15 bits: the product is exact */
    r = MS_EXACT_SUB(r, MS_EXACT_MUL(n, 1.42860677e-06f));
    MS_EXACT_F32 p = MS_EXACT_ADD(MS_EXACT_MUL(r, 0.00139505405f), 0.00836891774f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(r, p), 0.0416662060f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(r, p), 0.166665182f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(r, p), 0.5f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(MS_EXACT_MUL(r, r), p), r);
    p = MS_EXACT_ADD(p, 1.0f);
    MS_EXACT_U32 y = MS_EXACT_BITS(p) + (MS_EXACT_BITS(shifted) << 23); /* the bits above n's 9 fall out */
    y = MS_EXACT_SELECT((bits >> 31) == 0u && magnitude >= 0x42b17218u, MS_EXACT_INFINITY, y); /* x > 88.7228 */
    y = MS_EXACT_SELECT((bits >> 31) != 0u && magnitude > 0x42260000u, 0u, y);                 /* x < -41.5 */
    y = MS_EXACT_SELECT(magnitude > MS_EXACT_INFINITY, MS_EXACT_NAN, y);
    return MS_EXACT_FLOAT(y);
}

/* log x = e log 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt 2); log(1 + f) = f - f^2/2 + f^3 Q(f). */
MS_EXACT_FUNCTION float ms_log(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x);
    MS_EXACT_U32 shifted = bits + (0x3f800000u - 0x3f3504f3u);                                /* 1 / sqrt 2 becomes 1 */
    MS_EXACT_F32 e = MS_EXACT_SUB(MS_EXACT_FLOAT(0x4b000000u + (shifted >> 23)), 8388735.0f); /* 2^23 + 127 */
    MS_EXACT_F32 f = MS_EXACT_SUB(MS_EXACT_FLOAT((shifted & 0x007fffffu) + 0x3f3504f3u), 1.0f);
    MS_EXACT_F32 q = MS_EXACT_ADD(MS_EXACT_MUL(f, 0.0674663857f), -0.116756514f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), 0.118881628f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), -0.124055892f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), 0.142195523f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), -0.166679963f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), 0.200021192f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), -0.250000089f);
    q = MS_EXACT_ADD(MS_EXACT_MUL(f, q), 0.333333135f);
    MS_EXACT_F32 f2 = MS_EXACT_MUL(f, f);
    MS_EXACT_F32 y = MS_EXACT_MUL(MS_EXACT_MUL(f, f2), q);
    y = MS_EXACT_ADD(y, MS_EXACT_MUL(e, 1.42860677e-06f));
    y = MS_EXACT_SUB(y, MS_EXACT_MUL(0.5f, f2));
    y = MS_EXACT_ADD(MS_EXACT_ADD(f, y), MS_EXACT_MUL(e, 0.693145752f));
    MS_EXACT_U32 result = MS_EXACT_BITS(y);
    result = MS_EXACT_SELECT(bits == MS_EXACT_INFINITY, MS_EXACT_INFINITY, result);
    result = MS_EXACT_SELECT(bits > MS_EXACT_INFINITY, MS_EXACT_NAN, result); /* negative or NaN */
    result = MS_EXACT_SELECT((bits & MS_EXACT_ABS) < MS_EXACT_MIN, 0xff800000u, result);
    return MS_EXACT_FLOAT(result);
}

/* 1 / x on the mantissa in [1, 2): cubic start (error 1.8e-3), two Newton steps; the exponent by integer
   subtraction. */
MS_EXACT_FUNCTION float ms_reciprocal(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x), magnitude = bits & MS_EXACT_ABS, sign = bits & 0x80000000u;
    MS_EXACT_F32 m = MS_EXACT_FLOAT((bits & 0x007fffffu) | 0x3f800000u);
    MS_EXACT_F32 y = MS_EXACT_ADD(MS_EXACT_MUL(m, -0.221836761f), 1.33102107f);
    y = MS_EXACT_ADD(MS_EXACT_MUL(m, y), -2.93933916f);
    y = MS_EXACT_ADD(MS_EXACT_MUL(m, y), 2.82842183f);
    y = MS_EXACT_ADD(y, MS_EXACT_MUL(y, MS_EXACT_SUB(1.0f, MS_EXACT_MUL(m, y))));
    y = MS_EXACT_ADD(y, MS_EXACT_MUL(y, MS_EXACT_SUB(1.0f, MS_EXACT_MUL(m, y))));
    MS_EXACT_U32 result = MS_EXACT_BITS(y) + 0x3f800000u - (magnitude & 0x7f800000u);
    result = MS_EXACT_SELECT(magnitude > 0x7e800000u, 0u, result); /* above 2^126 */
    result = MS_EXACT_SELECT(magnitude < MS_EXACT_MIN, MS_EXACT_INFINITY, result);
    result = MS_EXACT_SELECT(magnitude > MS_EXACT_INFINITY, MS_EXACT_NAN, result);
    return MS_EXACT_FLOAT(result | sign);
}

/* 1 / sqrt(x): linear start on the bits (error 3.4e-2), three Newton steps. */
MS_EXACT_FUNCTION float ms_rsqrt(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x);
    MS_EXACT_F32 y = MS_EXACT_FLOAT(0x5f375a86u - (bits >> 1));
    y = MS_EXACT_MUL(y, MS_EXACT_SUB(1.5f, MS_EXACT_MUL(0.5f, MS_EXACT_MUL(MS_EXACT_MUL(x, y), y))));
    y = MS_EXACT_MUL(y, MS_EXACT_SUB(1.5f, MS_EXACT_MUL(0.5f, MS_EXACT_MUL(MS_EXACT_MUL(x, y), y))));
    MS_EXACT_F32 rest = MS_EXACT_SUB(1.0f, MS_EXACT_MUL(MS_EXACT_MUL(x, y), y));
    y = MS_EXACT_ADD(y, MS_EXACT_MUL(MS_EXACT_MUL(0.5f, y), rest));
    MS_EXACT_U32 result = MS_EXACT_BITS(y);
    result = MS_EXACT_SELECT(bits == MS_EXACT_INFINITY, 0u, result);
    result = MS_EXACT_SELECT(bits > MS_EXACT_INFINITY, MS_EXACT_NAN, result); /* negative or NaN */
    result = MS_EXACT_SELECT((bits & MS_EXACT_ABS) < MS_EXACT_MIN, MS_EXACT_INFINITY, result);
    return MS_EXACT_FLOAT(result);
}

/* a / b is defined as a * (1 / b). */
MS_EXACT_FUNCTION float ms_div(float a, float b) {
    MS_EXACT_F32 y = MS_EXACT_MUL(a, ms_reciprocal(b));
    return y;
}

/* sqrt x is defined as x * (1 / sqrt x). */
MS_EXACT_FUNCTION float ms_sqrt(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x);
    MS_EXACT_F32 y = MS_EXACT_MUL(x, ms_rsqrt(x));
    MS_EXACT_U32 result = MS_EXACT_BITS(y);
    result = MS_EXACT_SELECT(bits == MS_EXACT_INFINITY, MS_EXACT_INFINITY, result);
    result = MS_EXACT_SELECT((bits & MS_EXACT_ABS) < MS_EXACT_MIN, 0u, result);
    return MS_EXACT_FLOAT(result);
}

/* Of m = |x|, with the sign of x put on at the end: below 5/8 m + m m^2 T(m^2), from there on 1 - 2 / (e^2m + 1), of
   which the subtracted part is below 0.45. */
MS_EXACT_FUNCTION float ms_tanh(float x) {
    MS_EXACT_U32 bits = MS_EXACT_BITS(x), magnitude = bits & MS_EXACT_ABS;
    MS_EXACT_F32 m = MS_EXACT_FLOAT(magnitude);
    MS_EXACT_F32 u = MS_EXACT_MUL(m, m);
    MS_EXACT_F32 p = MS_EXACT_ADD(MS_EXACT_MUL(u, -0.00570498547f), 0.0206390861f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), -0.0537397154f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), 0.133314416f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), -0.333332807f);
    p = MS_EXACT_ADD(m, MS_EXACT_MUL(MS_EXACT_MUL(m, u), p));
    MS_EXACT_F32 twice = MS_EXACT_ADD(m, m);
    MS_EXACT_F32 e = MS_EXACT_ADD(ms_exp(twice), 1.0f);
    MS_EXACT_F32 rest = MS_EXACT_MUL(2.0f, ms_reciprocal(e));
    MS_EXACT_F32 q = MS_EXACT_SUB(1.0f, rest);
    MS_EXACT_U32 y = MS_EXACT_SELECT(magnitude < 0x3f200000u, MS_EXACT_BITS(p), MS_EXACT_BITS(q));
    y = MS_EXACT_SELECT(magnitude < MS_EXACT_MIN, 0u, y);
    y = MS_EXACT_SELECT(magnitude > MS_EXACT_INFINITY, MS_EXACT_NAN, y);
    return MS_EXACT_FLOAT(y | (bits & 0x80000000u));
}

/* sin(t * pi/2), |t| <= 1/2 */
MS_EXACT_FUNCTION float ms_sin_quarter(float t) {
    MS_EXACT_F32 u = MS_EXACT_MUL(t, t);
    MS_EXACT_F32 p = MS_EXACT_ADD(MS_EXACT_MUL(u, 0.00015820672f), -0.00468126638f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), 0.0796925798f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), -0.645964086f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), 1.57079637f);
    p = MS_EXACT_MUL(t, p);
    return p;
}

/* cos(t * pi/2), |t| <= 1/2 */
MS_EXACT_FUNCTION float ms_cos_quarter(float t) {
    MS_EXACT_F32 u = MS_EXACT_MUL(t, t);
    MS_EXACT_F32 p = MS_EXACT_ADD(MS_EXACT_MUL(u, 0.000903631677f), -0.0208600722f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), 0.253669202f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), -1.23370051f);
    p = MS_EXACT_ADD(MS_EXACT_MUL(u, p), 1.0f);
    return p;
}

#endif /* MS_REAL_IS_DOUBLE */
#endif
