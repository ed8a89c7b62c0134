/* Cases of sum and sum_squares. */
#include <math.h>

#include "backend/cases/case.h"

static void sum_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    out[0][0] = 0;
    for (int64_t i = 0; i < ms_shape_count(&test->shape[0]); i++) out[0][0] += fabs((double)((const float *)in[0])[i]);
}

bool ms_cases_sum(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 97, 4095, 4096, 4097, 8192, 140003};
    if (i > 17) return false;
    ms_shape shape = i == 17 ? ms_shape_3(3, 41, 97) : ms_shape_1(sizes[i]);
    *out = ms_case_of(MS_OP_SUM);
    ms_case_input(out, MS_DTYPE_F32, shape, i == 17 ? MS_CASE_SPARSE : i % 2 ? MS_CASE_WIDE : MS_CASE_NORMAL);
    out->magnitude = sum_magnitude;
    out->bound = ms_case_depth(ms_shape_count(&shape)) + 1;
    return true;
}

bool ms_cases_sum_squares(int i, ms_op_case *out) {
    static const struct {
        ms_shape shape;
        ms_sum_squares_attributes attributes;
    } table[] = {
        {{1, {1}}, {0, {0}}},
        {{1, {31}}, {0, {0}}},
        {{1, {32}}, {0, {0}}},
        {{1, {33}}, {0, {0}}},
        {{1, {4096}}, {0, {0}}},
        {{1, {4097}}, {0, {0}}},
        {{1, {70001}}, {0, {0}}},
        {{3, {3, 7, 5}}, {0, {0}}},
        {{3, {3, 7, 5}}, {1, {7}}},
        {{3, {5, 96, 65}}, {3, {64, 1, 31}}},
        {{2, {130, 67}}, {4, {1, 65, 33, 31}}},
        {{1, {11}}, {1, {1}}},
    };
    if (i >= (int)(sizeof table / sizeof *table)) return false;
    *out = ms_case_of(MS_OP_SUM_SQUARES);
    ms_case_input(out, MS_DTYPE_F32, table[i].shape, MS_CASE_SPARSE);
    out->attributes.sum_squares = table[i].attributes;
    out->bound = ms_case_depth(ms_shape_count(&table[i].shape)) + 1;
    return true;
}
