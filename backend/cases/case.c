#include "backend/cases/case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "platform/random.h"

bool ms_case_make(ms_op op, int i, ms_op_case *out) {
    static bool (*const makers[MS_OP_COUNT])(int, ms_op_case *) = {
#define OP(upper, lower, ...) ms_cases_##lower,
#include "backend/ir/ops.def"
#undef OP
    };
    return makers[op](i, out);
}

ms_op_case ms_case_of(ms_op op) {
    ms_op_case test;
    memset(&test, 0, sizeof test);
    test.op = op;
    return test;
}

void ms_case_input(ms_op_case *test, ms_dtype dtype, ms_shape shape, ms_case_fill fill) {
    test->dtype[test->n_inputs] = dtype;
    test->shape[test->n_inputs] = shape;
    test->fill[test->n_inputs++] = fill;
}

void ms_case_absent(ms_op_case *test) { test->n_inputs++; }

bool ms_case_has_input(const ms_op_case *test, int i) { return i < test->n_inputs && test->shape[i].rank > 0; }

ms_status ms_case_infer(ms_op_case *test) {
    ms_tensor_info infos[MS_MAX_INPUTS];
    const ms_tensor_info *pointers[MS_MAX_INPUTS];
    memset(infos, 0, sizeof infos);
    for (int i = 0; i < test->n_inputs; i++) {
        infos[i].dtype = test->dtype[i];
        infos[i].shape = test->shape[i];
        infos[i].producer = infos[i].variable = -1;
        pointers[i] = ms_case_has_input(test, i) ? &infos[i] : NULL;
    }
    test->n_outputs = ms_op_get(test->op)->n_outputs;
    if (test->op == MS_OP_ASSIGN) {
        test->n_outputs = 1;
        test->out[0] = infos[0];
        return MS_OK;
    }
    return ms_op_infer(test->op, pointers, test->n_inputs, &test->attributes, test->out);
}

/* A sum of 12 uniform numbers has variance 1. */
static double normal(uint64_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += ms_split_mix_uniform(state);
    return sum;
}

static float draw(ms_case_fill fill, uint64_t *state) {
    if (fill == MS_CASE_POSITIVE) return (float)(0.1 + 1.9 * ms_split_mix_uniform(state));
    double value = normal(state);
    if (fill == MS_CASE_WIDE) value = ldexp(value, (int)(ms_split_mix(state) % 41) - 20);
    if (fill == MS_CASE_SPARSE && ms_split_mix(state) % 3 == 0) value = copysign(0.0, value);
    return (float)value;
}

/* Replaces element e of an input by what its fill has in that row. */
static float place_special(const ms_op_case *test, int i, int64_t e, float number) {
    static const float special[] = {NAN, INFINITY, -INFINITY};
    ms_case_fill fill = test->fill[i];
    if (fill != MS_CASE_LATE_NAN && fill != MS_CASE_EARLY_NAN) return number;
    int64_t rows = test->shape[i].dim[0], columns = ms_shape_count(&test->shape[i]) / rows;
    int64_t row = fill == MS_CASE_LATE_NAN ? rows - 1 - rows / 8 : rows / 8;
    return e / columns == row ? special[e % columns % 3] : number;
}

static int32_t draw_integer(const ms_op_case *test, ms_case_fill fill, uint64_t *state) {
    uint64_t range = (uint64_t)((int64_t)test->high - test->low);
    if (fill != MS_CASE_TOKENS) return test->low + (int32_t)(ms_split_mix(state) % range);
    if (ms_split_mix(state) % 8 < 3) return test->low;
    /* The logarithm of the rank is uniform. */
    return test->low + (int32_t)(exp(ms_split_mix_uniform(state) * log((double)range + 1)) - 1) % (int32_t)range;
}

/* `count` numbers of [low, high), which has at least as many, in a random order: reservoir sampling. */
static void fill_distinct(const ms_op_case *test, int64_t count, uint64_t *state, int32_t *out) {
    int64_t range = (int64_t)test->high - test->low;
    for (int64_t k = 0; k < range; k++) {
        int64_t at = (int64_t)(ms_split_mix(state) % (uint64_t)(k + 1));
        if (at >= count) continue;
        if (k < count) out[k] = out[at];
        out[at] = test->low + (int32_t)k;
    }
}

void ms_case_fill_input(const ms_op_case *test, int i, void *out_data) {
    uint64_t state = test->seed * 1000 + (uint64_t)i;
    int64_t count = ms_shape_count(&test->shape[i]);
    if (test->fill[i] == MS_CASE_DISTINCT) {
        fill_distinct(test, count, &state, out_data);
        return;
    }
    for (int64_t e = 0; e < count; e++) {
        if (test->dtype[i] == MS_DTYPE_I32) {
            ((int32_t *)out_data)[e] = draw_integer(test, test->fill[i], &state);
            continue;
        }
        float number = place_special(test, i, e, draw(test->fill[i], &state));
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        if (test->dtype[i] == MS_DTYPE_BF16)
            ((uint16_t *)out_data)[e] = (uint16_t)(bits >> 16); /* any bf16 number will do */
        else
            ((float *)out_data)[e] = number;
    }
}

double ms_case_bound(const ms_op_case *test, bool fast) { return test->bound + (fast ? test->native : 0); }

double ms_case_matmul_growth(const ms_matmul_rounding *rounding, double a, double b, int64_t n) {
    return (1 + a) * (1 + b) * (1 + (double)(n + 2 * ((n + 3) / 4)) * rounding->sum) - 1;
}

double ms_case_depth(int64_t n) {
    double depth = 0;
    for (; n > 1; n = (n + 4095) / 4096) depth += (double)((n < 4096 ? n : 4096) + 31) / 32 + 4;
    return depth;
}

float ms_case_coefficient(const ms_op_case *test, ms_coefficient coefficient) {
    return coefficient.scalar >= 0 ? coefficient.constant * test->scalars[coefficient.scalar] : coefficient.constant;
}

const char *ms_case_text(const ms_op_case *test, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < test->n_inputs && used < size; i++) {
        char shape[64] = "-";
        const char *dtype = "";
        if (ms_case_has_input(test, i)) {
            ms_shape_text(&test->shape[i], shape, sizeof shape);
            if (test->dtype[i] != MS_DTYPE_F32) dtype = ms_dtype_name(test->dtype[i]);
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s%s", i ? " " : "", dtype, shape);
    }
    char shape[64];
    const ms_tensor_info *result = &test->out[0];
    if (used < size && test->n_inputs == 0)
        snprintf(out, size, "-> %s", ms_shape_text(&result->shape, shape, sizeof shape));
    else if (used < size && result->dtype != MS_DTYPE_F32)
        snprintf(out + used, size - used, " -> %s", ms_dtype_name(result->dtype));
    return out;
}
