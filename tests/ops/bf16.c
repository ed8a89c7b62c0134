#include "tests/ops/bf16.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ELEMENTS = 17000 };

double ms_bf16_value(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return (double)y;
}

uint16_t ms_nearest_bf16(double x) {
    double y = x;
    if (x != 0 && isfinite(x)) {
        int exponent = ilogb(x) < -126 ? -126 : ilogb(x); /* 8 significant bits, fewer below 2^-126 */
        double quantum = ldexp(1.0, exponent - 7);
        y = rint(x / quantum) * quantum;
    }
    float rounded = (float)y; /* exact, or an infinity */
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    return (uint16_t)(isnan(x) ? (bits >> 16) | 0x40u : bits >> 16);
}

/* The inputs as the f32 case knows them; the caller frees those that are bf16. */
static void widen_inputs(const ms_op_case *test, const void *const *in, const void **out) {
    for (int i = 0; i < test->n_inputs; i++) {
        out[i] = in[i];
        if (!in[i] || test->dtype[i] != MS_DTYPE_BF16) continue;
        int64_t count = ms_shape_count(&test->shape[i]);
        float *wide = malloc((size_t)count * sizeof *wide);
        for (int64_t e = 0; e < count; e++) wide[e] = (float)ms_bf16_value(((const uint16_t *)in[i])[e]);
        out[i] = wide;
    }
}

static void free_widened(const ms_op_case *test, const void **in) {
    for (int i = 0; i < test->n_inputs; i++)
        if (test->dtype[i] == MS_DTYPE_BF16) free((void *)in[i]);
}

/* Inputs and results keep their places; only dtypes differ. */
static ms_op_case f32_case(const ms_op_case *test) {
    ms_op_case wide = *test;
    for (int i = 0; i < test->n_inputs; i++)
        if (test->dtype[i] == MS_DTYPE_BF16) wide.dtype[i] = MS_DTYPE_F32;
    for (int k = 0; k < test->n_outputs; k++)
        if (test->out[k].dtype == MS_DTYPE_BF16) wide.out[k].dtype = MS_DTYPE_F32;
    return wide;
}

void ms_bf16_reference(const ms_op_test *test, const void *const *in, void *const *out) {
    const void *wide_in[MS_MAX_INPUTS] = {NULL};
    void *wide_out[MS_MAX_OUTPUTS] = {NULL};
    ms_op_case wide = f32_case(&test->c);
    widen_inputs(&test->c, in, wide_in);
    for (int k = 0; k < test->c.n_outputs; k++) {
        bool is_rounded = test->c.out[k].dtype == MS_DTYPE_BF16;
        wide_out[k] = is_rounded ? malloc((size_t)ms_shape_count(&test->c.out[k].shape) * sizeof(float)) : out[k];
    }
    test->reference(&wide, wide_in, wide_out);
    for (int k = 0; k < test->c.n_outputs; k++) {
        if (test->c.out[k].dtype != MS_DTYPE_BF16) continue;
        for (int64_t e = 0; e < ms_shape_count(&test->c.out[k].shape); e++)
            ((uint16_t *)out[k])[e] = ms_nearest_bf16((double)((float *)wide_out[k])[e]);
        free(wide_out[k]);
    }
    free_widened(&test->c, wide_in);
}

void ms_bf16_magnitude(const ms_op_test *test, const void *const *in, double *const *out) {
    const void *wide_in[MS_MAX_INPUTS] = {NULL};
    widen_inputs(&test->c, in, wide_in);
    test->c.magnitude(&test->c, wide_in, out);
    free_widened(&test->c, wide_in);
}

bool ms_bf16_test(const ms_op_test *test, int turn, ms_op_test *out) {
    *out = *test;
    out->in_bf16 = true;
    if (!ms_case_in_bf16(&test->c, turn, &out->c)) return false;
    for (int i = 0; i < out->c.n_inputs; i++)
        if (out->c.dtype[i] == MS_DTYPE_BF16 && ms_shape_count(&out->c.shape[i]) > MAX_ELEMENTS) return false;
    return true;
}
