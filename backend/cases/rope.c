/* Cases of qk_norm_rope and qk_norm_rope_grad. */
#include <math.h>

#include "backend/cases/case.h"

/* Tokens, heads, head size, sequence; each interleaved or not, normalised or not. */
static const int32_t shapes[][4] = {{1, 1, 2, 1},     {6, 3, 4, 3},   {14, 1, 34, 7}, {66, 5, 64, 11},
                                    {17, 2, 128, 17}, {700, 7, 6, 7}, {3, 1, 5002, 3}};
enum { N_CASES = 7 * 4 };

static ms_rope_attributes attributes_of(int i) {
    const int32_t *shape = shapes[i / 4];
    return (ms_rope_attributes){shape[1], shape[2], shape[3], i % 2 == 1, i / 2 % 2 == 1, 1e-6f};
}

/* The two elements that pair k turns into each other. */
static void pair_of(const ms_rope_attributes *rope, int64_t k, int64_t *i, int64_t *j) {
    *i = rope->interleaved ? 2 * k : k;
    *j = rope->interleaved ? 2 * k + 1 : k + rope->head_size / 2;
}

/* |y_i| can cancel: relative to |u_i| + |u_j|, each table entry being at most 2 here. */
static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    const float *x = in[0], *gain = in[2];
    int64_t size = rope->head_size;
    for (int64_t row = 0; row < test->shape[0].dim[0] * rope->heads; row++)
        for (int64_t k = 0; k < size / 2; k++) {
            int64_t i, j;
            pair_of(rope, k, &i, &j);
            double u = fabs((double)x[row * size + i] * (gain ? (double)gain[i] : 1)) +
                       fabs((double)x[row * size + j] * (gain ? (double)gain[j] : 1));
            out[0][row * size + i] = out[0][row * size + j] = 2 * u * out[1][row];
        }
}

bool ms_cases_qk_norm_rope(int i, ms_op_case *out) {
    if (i >= N_CASES) return false;
    *out = ms_case_of(MS_OP_QK_NORM_ROPE);
    out->attributes.rope = attributes_of(i);
    const ms_rope_attributes *rope = &out->attributes.rope;
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shapes[i / 4][0], (int64_t)rope->heads * rope->head_size),
                  MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(rope->sequence, rope->head_size), MS_CASE_POSITIVE);
    if (rope->normalise) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(rope->head_size), MS_CASE_SPARSE);
    out->magnitude = magnitude;
    out->bound = (ms_case_depth(rope->head_size) + 6) / 2 + 7; /* as rms_norm, and the rotation */
    out->native = 4 + 2.5;                                     /* inverse root, division under it */
    return true;
}

static void grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    const float *x = in[0], *rstd = in[2], *dy = in[3], *gain = in[4];
    int64_t size = rope->head_size, rows = test->shape[0].dim[0] * rope->heads;
    for (int64_t d = 0; d < size; d++) out[1][d] = rope->normalise ? 0 : HUGE_VAL;
    for (int64_t r = 0; r < rows; r++) {
        double s = 0, scale = (double)rstd[r], *du = out[0] + r * size;
        for (int64_t k = 0; k < size / 2; k++) { /* a table entry is at most 2 */
            int64_t i, j;
            pair_of(rope, k, &i, &j);
            du[i] = du[j] = 2 * (fabs((double)dy[r * size + i]) + fabs((double)dy[r * size + j]));
        }
        if (!rope->normalise) continue;
        for (int64_t d = 0; d < size; d++) {
            double term = du[d] * fabs((double)x[r * size + d]) * scale;
            out[1][d] += term;
            s += term * fabs((double)gain[d]) / (double)size;
        }
        for (int64_t d = 0; d < size; d++)
            du[d] = (du[d] * fabs((double)gain[d]) + fabs((double)x[r * size + d]) * scale * s) * scale;
    }
}

bool ms_cases_qk_norm_rope_grad(int i, ms_op_case *out) {
    if (i >= N_CASES) return false;
    *out = ms_case_of(MS_OP_QK_NORM_ROPE_GRAD);
    out->attributes.rope = attributes_of(i);
    const ms_rope_attributes *rope = &out->attributes.rope;
    int32_t tokens = shapes[i / 4][0];
    ms_shape x = ms_shape_2(tokens, (int64_t)rope->heads * rope->head_size);
    ms_case_input(out, MS_DTYPE_F32, x, MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(rope->sequence, rope->head_size), MS_CASE_POSITIVE);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(tokens, rope->heads), MS_CASE_POSITIVE);
    ms_case_input(out, MS_DTYPE_F32, x, MS_CASE_SPARSE);
    if (rope->normalise) ms_case_input(out, MS_DTYPE_F32, ms_shape_1(rope->head_size), MS_CASE_NORMAL);
    out->magnitude = grad_magnitude;
    out->skip_special = !rope->normalise; /* x and rstd do not reach the output then */
    out->absent_outputs = rope->normalise ? 0 : 1u << 1;
    double depth = fmax(ms_case_depth((int64_t)tokens * rope->heads), ms_case_depth(rope->head_size));
    out->bound = depth + 16; /* the rotation, and as rms_norm_grad */
    out->native = 5;         /* division */
    out->in_quick = i == 14; /* aligned heads, not interleaved, normalised, many rows */
    return true;
}
