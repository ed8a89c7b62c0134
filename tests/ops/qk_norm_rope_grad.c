#include "tests/ops/cases.h"
#include "tests/ops/rope_case.h"

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

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_rope_attributes *rope = &test->attributes.rope;
    const float *x = in[0], *rstd = in[2], *dy = in[3], *gain = in[4];
    int64_t size = rope->head_size, half = size / 2, rows = test->shape[0].dim[0] * rope->heads;
    for (int64_t d = 0; d < size; d++) out[1][d] = rope->normalise ? 0 : HUGE_VAL;
    for (int64_t r = 0; r < rows; r++) {
        double s = 0, scale = (double)rstd[r], *du = out[0] + r * size;
        for (int64_t k = 0; k < half; k++) { /* a table entry is at most 2 */
            int64_t i = rope->interleaved ? 2 * k : k, j = rope->interleaved ? 2 * k + 1 : k + half;
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

void ms_cases_qk_norm_rope_grad(void) {
    for (int i = 0; i < MS_ROPE_N_CASES; i++) {
        ms_op_case test = ms_case_of(MS_OP_QK_NORM_ROPE_GRAD);
        test.attributes.rope = ms_rope_case(i);
        const ms_rope_attributes *rope = &test.attributes.rope;
        int32_t tokens = ms_rope_shapes[i / 4][0];
        ms_shape x = ms_shape_2(tokens, (int64_t)rope->heads * rope->head_size);
        ms_case_input(&test, MS_DTYPE_F32, x, MS_CASE_NORMAL);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(rope->sequence, rope->head_size), MS_CASE_POSITIVE);
        ms_case_input(&test, MS_DTYPE_F32, ms_shape_2(tokens, rope->heads), MS_CASE_POSITIVE);
        ms_case_input(&test, MS_DTYPE_F32, x, MS_CASE_SPARSE);
        if (rope->normalise) ms_case_input(&test, MS_DTYPE_F32, ms_shape_1(rope->head_size), MS_CASE_NORMAL);
        test.reference = reference;
        test.magnitude = magnitude;
        test.skip_special = !rope->normalise; /* x and rstd do not reach the output then */
        double depth = fmax(ms_case_depth((int64_t)tokens * rope->heads), ms_case_depth(rope->head_size));
        test.bound = depth + 16; /* the rotation, and as rms_norm_grad */
        ms_case_check(&test);
    }
}
