#include "tests/ops/cases.h"

static void unrotate(const ms_rope_attributes *rope, const float *dy, const float *table, float *du) {
    int32_t half = rope->head_size / 2;
    for (int32_t k = 0; k < half; k++) {
        int32_t i = rope->interleaved ? 2 * k : k, j = rope->interleaved ? 2 * k + 1 : k + half;
        du[i] = dy[i] * table[k] + dy[j] * table[half + k];
        du[j] = dy[j] * table[k] - dy[i] * table[half + k];
    }
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    const float *x = in[0], *table = in[1], *rstd = in[2], *dy = in[3], *gain = in[4];
    int64_t size = rope->head_size, rows = test->shape[0].dim[0] * rope->heads;
    float *dx = out[0], *terms = malloc((size_t)(rows * size) * sizeof *terms);
    for (int64_t r = 0; r < rows; r++)
        unrotate(rope, dy + r * size, table + r / rope->heads % rope->sequence * size, dx + r * size);
    if (rope->normalise) {
        for (int64_t i = 0; i < rows * size; i++) terms[i] = dx[i] * (x[i] * rstd[i / size]);
        ms_naive_reduce_rows(terms, rows, size, out[1]);
        for (int64_t r = 0; r < rows; r++) {
            const float *row = x + r * size;
            float *du = dx + r * size;
            for (int64_t d = 0; d < size; d++) terms[d] = (du[d] * gain[d]) * (row[d] * rstd[r]);
            float s = ms_naive_reduce(terms, size) * ms_reciprocal((float)size);
            for (int64_t d = 0; d < size; d++) du[d] = (du[d] * gain[d] - (row[d] * rstd[r]) * s) * rstd[r];
        }
    } else {
        memset(out[1], 0xA5, (size_t)size * sizeof(float)); /* absent: the poison must still be there */
    }
    free(terms);
}

void ms_test_qk_norm_rope_grad(void) { ms_case_check_all(MS_OP_QK_NORM_ROPE_GRAD, reference); }
