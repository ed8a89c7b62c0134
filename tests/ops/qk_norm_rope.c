#include "tests/ops/cases.h"

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

void ms_test_qk_norm_rope(void) { ms_case_check_all(MS_OP_QK_NORM_ROPE, reference); }
