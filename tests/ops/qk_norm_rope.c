#include "tests/ops/cases.h"
#include "tests/ops/rope_case.h"

/* y [D] of one head, in f32, as the definition says. */
static void one_head(const ms_rope_attributes *rope, const float *x, const float *table, const float *gain, float *y,
                     float *rstd) {
    int32_t size = rope->head_size, half = size / 2;
    float *u = malloc((size_t)size * sizeof *u);
    *rstd = 1;
    for (int32_t d = 0; d < size; d++) u[d] = x[d] * x[d];
    if (rope->normalise) *rstd = ms_rsqrt(ms_naive_reduce(u, size) * ms_reciprocal((float)size) + rope->epsilon);
    for (int32_t d = 0; d < size; d++) u[d] = rope->normalise ? (x[d] * *rstd) * gain[d] : x[d];
    for (int32_t k = 0; k < half; k++) {
        int32_t i = rope->interleaved ? 2 * k : k, j = rope->interleaved ? 2 * k + 1 : k + half;
        y[i] = u[i] * table[k] - u[j] * table[half + k];
        y[j] = u[i] * table[half + k] + u[j] * table[k];
    }
    free(u);
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    int64_t size = rope->head_size;
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++)
        for (int64_t h = 0; h < rope->heads; h++) {
            int64_t row = n * rope->heads + h;
            one_head(rope, (const float *)in[0] + row * size, (const float *)in[1] + n % rope->sequence * size, in[2],
                     (float *)out[0] + row * size, (float *)out[1] + row);
        }
}

/* |y_i| can cancel: relative to |u_i| + |u_j|, each table entry being at most 2 here. */
static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    const float *x = in[0], *gain = in[2];
    int32_t size = rope->head_size, half = size / 2;
    for (int64_t row = 0; row < test->shape[0].dim[0] * rope->heads; row++)
        for (int32_t k = 0; k < half; k++) {
            int32_t i = rope->interleaved ? 2 * k : k, j = rope->interleaved ? 2 * k + 1 : k + half;
            double u = fabs((double)x[row * size + i] * (gain ? (double)gain[i] : 1)) +
                       fabs((double)x[row * size + j] * (gain ? (double)gain[j] : 1));
            out[0][row * size + i] = out[0][row * size + j] = 2 * u * out[1][row];
        }
}

void ms_cases_qk_norm_rope(void) {
    for (int i = 0; i < MS_ROPE_N_CASES; i++) {
        ms_op_case test = ms_case_of(MS_OP_QK_NORM_ROPE);
        test.attributes.rope = ms_rope_case(i);
        const ms_rope_attributes *rope = &test.attributes.rope;
        int32_t tokens = ms_rope_shapes[i / 4][0];
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(tokens, (int64_t)rope->heads * rope->head_size), MS_CASE_NORMAL);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(rope->sequence, rope->head_size), MS_CASE_POSITIVE);
        if (rope->normalise) ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(rope->head_size), MS_CASE_SPARSE);
        test.reference = reference;
        test.magnitude = magnitude;
        test.bound = (ms_case_depth(rope->head_size) + 6) / 2 + 7; /* as rms_norm, and the rotation */
        ms_case_check(&test);
    }
}
