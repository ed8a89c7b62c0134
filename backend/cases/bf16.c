/* Cases in bf16, made from those in f32: which inputs of an op may be bf16 is the rule of backend/ir/shape.c. */
#include "backend/cases/case.h"

enum { MAX_COMBINATIONS = 5 };

/* Which inputs are bf16 (bit i: input i), and the dtype of the result where the op names it. */
typedef struct combination {
    uint32_t inputs;
    ms_dtype result;
} combination;

typedef struct combinations {
    int n;
    combination list[MAX_COMBINATIONS];
} combinations;

#define B MS_DTYPE_BF16
#define F MS_DTYPE_F32
/* One row an op; an op without a row has no bf16 form, or moves any dtype and has cases of its own. */
static const combinations table[MS_OP_COUNT] = {
    [MS_OP_EMBED_GRAD] = {1, {{2, F}}},
    [MS_OP_AXPBY] = {1, {{3, F}}},
    [MS_OP_MUL] = {2, {{3, F}, {1, F}}}, /* a scalar factor may stay f32 */
    [MS_OP_RELU2] = {1, {{1, F}}},
    [MS_OP_SAME_SIGN] = {1, {{3, F}}},
    [MS_OP_MAXIMUM] = {1, {{3, F}}},
    [MS_OP_RELU2_GRAD] = {1, {{3, F}}},
    [MS_OP_SWIGLU] = {1, {{3, F}}},
    [MS_OP_SWIGLU_GRAD] = {1, {{7, F}}},
    [MS_OP_RMS_NORM] = {1, {{1, F}}},
    [MS_OP_RMS_NORM_GRAD] = {1, {{1 | 8 | 16, F}}},
    [MS_OP_ADD_RMS_NORM] = {1, {{3, F}}},
    [MS_OP_QK_NORM_ROPE] = {1, {{1, F}}},
    [MS_OP_QK_NORM_ROPE_GRAD] = {1, {{1 | 8, F}}},
    [MS_OP_MATMUL] = {5, {{7, B}, {3, F}, {1, F}, {2 | 4, B}, {4, B}}},
    [MS_OP_GRAM] = {3, {{1, B}, {1, F}, {0, B}}},
    [MS_OP_ATTENTION] = {1, {{7, F}}},
    [MS_OP_ATTENTION_GRAD] = {1, {{1 | 2 | 4 | 8 | 32, F}}},
    [MS_OP_ATTENTION_LOGIT_MAX] = {1, {{3, F}}},
    [MS_OP_CACHED_ATTENTION] = {1, {{7, F}}},
    [MS_OP_CROSS_ENTROPY] = {1, {{0, B}}},
    [MS_OP_TIED_CROSS_ENTROPY] = {2, {{3, B}, {3, F}}},
    [MS_OP_SUM] = {1, {{1, F}}},
    [MS_OP_SUM_SQUARES] = {1, {{1, F}}},
    [MS_OP_SCALE_BY_INVERSE_NORM] = {1, {{1, F}}},
};
#undef F
#undef B

static bool fits(const ms_op_case *test, const combination *c) {
    bool some = false;
    for (int i = 0; i < test->n_inputs; i++) {
        if (!ms_case_has_input(test, i) || !(c->inputs >> i & 1u)) continue;
        if (test->dtype[i] != MS_DTYPE_F32) return false;
        some = true;
    }
    bool mixed_mul = test->op == MS_OP_MUL && c->inputs == 1;
    if (mixed_mul && ms_shape_count(&test->shape[1]) != 1) return false;
    return some || c->result == MS_DTYPE_BF16;
}

bool ms_case_in_bf16(const ms_op_case *test, int turn, ms_op_case *out) {
    const combinations *all = &table[test->op];
    for (int tried = 0; tried < all->n; tried++) {
        const combination *c = &all->list[(turn + tried) % all->n];
        if (!fits(test, c)) continue;
        *out = *test;
        for (int i = 0; i < test->n_inputs; i++)
            if (ms_case_has_input(test, i) && (c->inputs >> i & 1u)) out->dtype[i] = MS_DTYPE_BF16;
        if (test->op == MS_OP_MATMUL) out->attributes.matmul.dtype = c->result;
        if (test->op == MS_OP_GRAM) out->attributes.gram.dtype = c->result;
        if (test->op == MS_OP_CROSS_ENTROPY) out->attributes.cross_entropy.dtype = c->result;
        if (test->op == MS_OP_TIED_CROSS_ENTROPY) out->attributes.tied_cross_entropy.dtype = c->result;
        return true;
    }
    return false;
}
