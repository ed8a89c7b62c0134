/* Cases of axpby, mul, same_sign, maximum, relu2, relu2_grad, gelu_tanh, gelu_tanh_grad, swiglu, swiglu_grad. */
#include <math.h>

#include "backend/cases/case.h"
#include "backend/cases/sizes.h"

/* More elements than 65535 groups of 256 invocations, the least that a Vulkan device can dispatch along one
   dimension. */
enum { MANY = 65535 * 256 + 37 };

static void axpby_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x0 = in[0], *x1 = in[1];
    float a = ms_case_coefficient(test, test->attributes.axpby.a),
          b = ms_case_coefficient(test, test->attributes.axpby.b);
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = fabs((double)a * (double)x0[i]) + (x1 ? fabs((double)b * (double)x1[i]) : 0);
}

bool ms_cases_axpby(int i, ms_op_case *out) {
    if (i > 2 * MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_AXPBY);
    out->large = i == 2 * MS_CASE_N_SIZES;
    ms_shape shape = ms_shape_1(out->large ? MANY : ms_case_sizes[i / 2]);
    ms_case_input(out, MS_DTYPE_F32, shape, MS_CASE_WIDE);
    if (i % 2)
        ms_case_input(out, MS_DTYPE_F32, shape, MS_CASE_SPARSE);
    else
        ms_case_absent(out);
    out->attributes.axpby.a = (ms_coefficient){0.9f, 1};
    out->attributes.axpby.b = (ms_coefficient){-1.1f, i % 3 ? 2 : -1};
    out->scalars[1] = 0.3f, out->scalars[2] = 7.0f;
    out->magnitude = axpby_magnitude;
    out->bound = 3.01; /* coefficient, product, sum */
    return true;
}

bool ms_cases_mul(int i, ms_op_case *out) {
    if (i >= 2 * MS_CASE_N_SIZES) return false;
    ms_shape shape = ms_shape_2(1, ms_case_sizes[i / 2]);
    *out = ms_case_of(MS_OP_MUL);
    ms_case_input(out, MS_DTYPE_F32, shape, MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, i % 2 ? shape : ms_shape_1(1), MS_CASE_WIDE);
    out->bound = 1.01;
    return true;
}

bool ms_cases_same_sign(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_SAME_SIGN);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    out->bound = 0;
    return true;
}

bool ms_cases_maximum(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_MAXIMUM);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    out->bound = 0;
    return true;
}

bool ms_cases_relu2(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_RELU2);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    out->bound = 1.01;
    return true;
}

bool ms_cases_relu2_grad(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_RELU2_GRAD);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_NORMAL);
    out->bound = 1.01;
    return true;
}

static double gelu_tanh_of(double x) { return tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)); }

/* 1 + tanh cancels: the result is measured against x/2 (1 + |tanh|). */
static void gelu_tanh_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x = in[0];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = fabs((double)x[i]) / 2 * (1 + fabs(gelu_tanh_of((double)x[i])));
}

bool ms_cases_gelu_tanh(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_GELU_TANH);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), i == 4 ? MS_CASE_WIDE : MS_CASE_SPARSE);
    out->magnitude = gelu_tanh_magnitude;
    out->bound = 8; /* argument 7, of which tanh keeps 0.45; tanh 1.6, sum 1, product 1 */
    return true;
}

/* (1 - t) (1 + t) cancels too: x/2 u' counts in full, up to where tanh is 1 in f32. */
static void gelu_tanh_grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *x = in[0], *dy = in[1];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        double v = fabs((double)x[i]), t = gelu_tanh_of(v), inner = 0.79788456080286536 * (1 + 0.134145 * v * v);
        out[0][i] = fabs((double)dy[i]) * ((1 + t) / 2 + (t < 1 - 0x1p-28 ? v / 2 * inner : 0));
    }
}

bool ms_cases_gelu_tanh_grad(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_GELU_TANH_GRAD);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), i == 4 ? MS_CASE_WIDE : MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_NORMAL);
    out->magnitude = gelu_tanh_grad_magnitude;
    out->bound = 18; /* tanh with its argument 4.7, twice in 1 - t^2; two sums, six products */
    return true;
}

/* e^-|g| of a negative gate carries 2 (3 + 2|g|) u where it is a device's own, against 2 * 15 at |g| = 6; `exact` takes
   it as 0 below 2^-59.8, which is 12 * 2^-24 of 2^-39 of what it multiplies. */
static void swiglu_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *gate = in[0], *up = in[1];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) {
        double g = (double)gate[i];
        out[0][i] = out[0][i] * (g < -6 ? -g / 6 : 1) + fabs(g * (double)up[i]) * 0x1p-39;
    }
}

bool ms_cases_swiglu(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_SWIGLU);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), i == 4 ? MS_CASE_WIDE : MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), MS_CASE_NORMAL);
    out->bound = 12;          /* exp 2.1, 1 + e 1, reciprocal 2.5 and its argument 1, three products */
    out->native = 2 * 15 + 5; /* exp with |x| <= 6, division */
    out->magnitude = swiglu_magnitude;
    return true;
}

/* The slope of silu cancels: s (1 + g (1 - s)) is measured against s (1 + |g|). */
static void swiglu_grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const float *gate = in[0], *up = in[1], *dy = in[2];
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++)
        out[0][i] = fabs((double)dy[i] * (double)up[i]) / (1 + exp(-(double)gate[i])) * (1 + fabs((double)gate[i]));
}

bool ms_cases_swiglu_grad(int i, ms_op_case *out) {
    if (i >= MS_CASE_N_SIZES) return false;
    *out = ms_case_of(MS_OP_SWIGLU_GRAD);
    for (int k = 0; k < 3; k++)
        ms_case_input(out, MS_DTYPE_F32, ms_shape_1(ms_case_sizes[i]), k == 0 ? MS_CASE_SPARSE : MS_CASE_NORMAL);
    out->magnitude = swiglu_grad_magnitude;
    out->bound = 24;                /* sigmoid 8 twice, and six operations */
    out->native = 2 * (2 * 15 + 5); /* the sigmoid's exp and division, twice */
    return true;
}
