#include "tests/ops/bf16.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ELEMENTS = 17000, MAX_COMBINATIONS = 5 };

/* Which inputs are bf16 (bit i: input i), and for products the result's dtype. */
typedef struct combination {
    unsigned inputs;
    ms_dtype result;
} combination;

typedef struct op_combinations {
    int n;
    combination list[MAX_COMBINATIONS];
} op_combinations;

#define B MS_DTYPE_BF16
#define F MS_DTYPE_F32
#define ONE(inputs)                                                                                                    \
    {                                                                                                                  \
        1, {                                                                                                           \
            { inputs, F }                                                                                              \
        }                                                                                                              \
    }
static const op_combinations table[MS_OP_COUNT] = {
    [MS_OP_EMBED_GRAD] = ONE(2),
    [MS_OP_AXPBY] = ONE(3),
    [MS_OP_MUL] = {2, {{3, F}, {1, F}}}, /* a scalar factor may stay f32 */
    [MS_OP_RELU2] = ONE(1),
    [MS_OP_RELU2_GRAD] = ONE(3),
    [MS_OP_SWIGLU] = ONE(3),
    [MS_OP_SWIGLU_GRAD] = ONE(7),
    [MS_OP_RMS_NORM] = ONE(1),
    [MS_OP_RMS_NORM_GRAD] = ONE(1 | 8 | 16),
    [MS_OP_ADD_RMS_NORM] = ONE(3),
    [MS_OP_QK_NORM_ROPE] = ONE(1),
    [MS_OP_QK_NORM_ROPE_GRAD] = ONE(1 | 8),
    [MS_OP_MATMUL] = {5, {{7, B}, {3, F}, {1, F}, {2 | 4, B}, {4, B}}},
    [MS_OP_GRAM] = {3, {{1, B}, {1, F}, {0, B}}},
    [MS_OP_ATTENTION] = ONE(7),
    [MS_OP_ATTENTION_GRAD] = ONE(1 | 2 | 4 | 8 | 32),
    [MS_OP_SUM] = ONE(1),
    [MS_OP_SUM_SQUARES] = ONE(1),
    [MS_OP_SCALE_BY_INVERSE_NORM] = ONE(1),
};
#undef ONE
#undef F
#undef B

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

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const void *wide_in[MS_MAX_INPUTS] = {NULL};
    void *wide_out[MS_MAX_OUTPUTS] = {NULL};
    widen_inputs(test, in, wide_in);
    for (int k = 0; k < test->n_outputs; k++) {
        bool is_rounded = test->out[k].dtype == MS_DTYPE_BF16;
        wide_out[k] = is_rounded ? malloc((size_t)ms_shape_count(&test->out[k].shape) * sizeof(float)) : out[k];
    }
    test->f32_case->reference(test->f32_case, wide_in, wide_out);
    for (int k = 0; k < test->n_outputs; k++) {
        if (test->out[k].dtype != MS_DTYPE_BF16) continue;
        for (int64_t e = 0; e < ms_shape_count(&test->out[k].shape); e++)
            ((uint16_t *)out[k])[e] = ms_nearest_bf16((double)((float *)wide_out[k])[e]);
        free(wide_out[k]);
    }
    free_widened(test, wide_in);
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const void *wide_in[MS_MAX_INPUTS] = {NULL};
    widen_inputs(test, in, wide_in);
    test->f32_case->magnitude(test->f32_case, wide_in, out);
    free_widened(test, wide_in);
}

/* Whether the case has the inputs that a combination turns into bf16, in f32. */
static bool fits(const ms_op_case *test, const combination *c) {
    bool some = false;
    for (int i = 0; i < test->n_inputs; i++) {
        if (test->shape[i].rank == 0 || (c->inputs >> i & 1) == 0) continue;
        if (test->dtype[i] != MS_DTYPE_F32 || ms_shape_count(&test->shape[i]) > MAX_ELEMENTS) return false;
        some = true;
    }
    bool is_mixed_mul = test->op == MS_OP_MUL && c->inputs == 1;
    if (is_mixed_mul && ms_shape_count(&test->shape[1]) != 1) return false;
    return some || c->result == MS_DTYPE_BF16;
}

bool ms_bf16_case(const ms_op_case *test, uint64_t turn, ms_op_case *out) {
    const op_combinations *combinations = &table[test->op];
    for (int tried = 0; tried < combinations->n; tried++) {
        const combination *c = &combinations->list[(turn + (uint64_t)tried) % (uint64_t)combinations->n];
        if (!fits(test, c)) continue;
        *out = *test;
        out->f32_case = test;
        out->reference = reference;
        out->magnitude = test->magnitude ? magnitude : NULL;
        for (int i = 0; i < test->n_inputs; i++)
            if (test->shape[i].rank > 0 && (c->inputs >> i & 1) != 0) out->dtype[i] = MS_DTYPE_BF16;
        if (test->op == MS_OP_MATMUL) out->attributes.matmul.dtype = c->result;
        if (test->op == MS_OP_GRAM) out->attributes.gram.dtype = c->result;
        return true;
    }
    return false;
}
