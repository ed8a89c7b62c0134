/* Cases of fill, assign, reshape, slice, insert, insert_rows, cast, embed, embed_grad. */
#include <math.h>

#include "backend/cases/case.h"

static const ms_dtype moved[] = {MS_DTYPE_F32, MS_DTYPE_BF16, MS_DTYPE_I32};

bool ms_cases_fill(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 37, 16384, 16385, 50001};
    static const ms_fill_attributes kinds[] = {{.value = -0.1f, .dtype = MS_DTYPE_F32},
                                               {.value = 0.0f, .dtype = MS_DTYPE_F32},
                                               {.value = -7.0f, .dtype = MS_DTYPE_I32},
                                               {.value = 65535.0f, .dtype = MS_DTYPE_U16},
                                               {.value = 3.14159274f, .dtype = MS_DTYPE_BF16}};
    if (i >= 25) return false;
    *out = ms_case_of(MS_OP_FILL);
    out->attributes.fill = kinds[i % 5];
    out->attributes.fill.shape = i % 5 == 1 ? ms_shape_2(3, sizes[i / 5]) : ms_shape_1(sizes[i / 5]);
    return true;
}

bool ms_cases_assign(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 37, 300007};
    if (i >= 9) return false;
    *out = ms_case_of(MS_OP_ASSIGN);
    ms_case_input(out, moved[i % 3], ms_shape_1(sizes[i / 3]), MS_CASE_WIDE);
    out->low = -9, out->high = 9;
    out->skip_special = true;
    return true;
}

bool ms_cases_reshape(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 77, 70001};
    if (i >= 9) return false;
    *out = ms_case_of(MS_OP_RESHAPE);
    ms_case_input(out, moved[i % 3], ms_shape_2(sizes[i / 3], 6), MS_CASE_WIDE);
    out->attributes.shape.shape = ms_shape_3(2, 3, sizes[i / 3]);
    out->low = -9, out->high = 9;
    out->skip_special = true;
    return true;
}

typedef struct rows_case {
    ms_shape shape;
    int64_t begin, count;
} rows_case;

static const rows_case row_cases[] = {
    {{1, {1}}, 0, 1},       {{1, {101}}, 13, 57},     {{2, {7, 5}}, 6, 1},
    {{2, {31, 17}}, 0, 31}, {{3, {5, 11, 64}}, 3, 7}, {{2, {5, 100003}}, 1, 3},
};

static bool make_rows(ms_op op, int i, ms_op_case *out) {
    if (i >= 18) return false;
    const rows_case *rows = &row_cases[i / 3];
    *out = ms_case_of(op);
    ms_shape part = rows->shape;
    part.dim[part.rank >= 2 ? part.rank - 2 : 0] = rows->count;
    ms_case_input(out, moved[i % 3], rows->shape, MS_CASE_WIDE);
    if (op == MS_OP_INSERT) ms_case_input(out, moved[i % 3], part, MS_CASE_WIDE);
    out->attributes.slice = (ms_slice_attributes){rows->begin, rows->count};
    out->low = -9, out->high = 9;
    out->skip_special = true;
    return true;
}

bool ms_cases_slice(int i, ms_op_case *out) { return make_rows(MS_OP_SLICE, i, out); }
bool ms_cases_insert(int i, ms_op_case *out) { return make_rows(MS_OP_INSERT, i, out); }

/* Two indices are outside of [0, R). */
bool ms_cases_insert_rows(int i, ms_op_case *out) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {7, 5, 9}, {40, 33, 17}, {31, 64, 8}, {3, 10007, 2}};
    if (i >= 15) return false;
    const int64_t *shape = shapes[i / 3];
    *out = ms_case_of(MS_OP_INSERT_ROWS);
    ms_case_input(out, moved[i % 3], ms_shape_2(shape[0], shape[1]), MS_CASE_WIDE);
    ms_case_input(out, moved[i % 3], ms_shape_2(shape[2], shape[1]), MS_CASE_WIDE);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(shape[2]), MS_CASE_DISTINCT);
    out->low = -1, out->high = (int32_t)shape[0] + 1;
    out->skip_special = true;
    return true;
}

bool ms_cases_cast(int i, ms_op_case *out) {
    static const int64_t sizes[] = {1, 31, 16387, 40000};
    if (i >= 8) return false;
    *out = ms_case_of(MS_OP_CAST);
    ms_case_input(out, i % 2 ? MS_DTYPE_BF16 : MS_DTYPE_F32, ms_shape_1(sizes[i / 2]), MS_CASE_WIDE);
    out->attributes.cast.dtype = i % 2 ? MS_DTYPE_F32 : MS_DTYPE_BF16;
    return true;
}

bool ms_cases_embed(int i, ms_op_case *out) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {7, 5, 13}, {101, 32, 67}, {13, 513, 257}, {5, 20001, 3}};
    if (i >= 5) return false;
    *out = ms_case_of(MS_OP_EMBED);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shapes[i][0], shapes[i][1]), MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(shapes[i][2]), MS_CASE_NORMAL);
    out->high = (int32_t)shapes[i][0];
    out->attributes.embed = (ms_embed_attributes){22.627417f, shapes[i][0]};
    out->bound = 1.01;
    out->skip_special = true; /* a changed row need not be used */
    return true;
}

static void embed_grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const int32_t *index = in[0];
    const float *dy = in[1], *acc = in[2];
    int64_t columns = test->shape[1].dim[1];
    for (int64_t i = 0; i < test->attributes.embed.rows * columns; i++) out[0][i] = acc ? fabs((double)acc[i]) : 0;
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++)
        for (int64_t c = 0; c < columns; c++)
            out[0][index[n] * columns + c] += fabs((double)(test->attributes.embed.scale * dy[n * columns + c]));
}

bool ms_cases_embed_grad(int i, ms_op_case *out) {
    static const int64_t shapes[][3] = {{1, 1, 1},      {7, 5, 13},    {101, 32, 67},   {3, 33, 301},
                                        {13, 1027, 29}, {4, 17001, 3}, {300, 16, 2000}, {260, 75, 400}};
    if (i >= 16) return false;
    const int64_t *shape = shapes[i / 2];
    bool is_text = i >= 12; /* one token about 900 or 180 times */
    *out = ms_case_of(MS_OP_EMBED_GRAD);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(shape[2]), is_text ? MS_CASE_TOKENS : MS_CASE_NORMAL);
    out->in_quick = i == 12 || i == 13;
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shape[2], shape[1]), MS_CASE_SPARSE);
    if (i % 2) ms_case_input(out, MS_DTYPE_F32, ms_shape_2(shape[0], shape[1]), MS_CASE_SPARSE);
    out->high = (int32_t)shape[0];
    out->attributes.embed = (ms_embed_attributes){5.65685425f, shape[0]};
    out->magnitude = embed_grad_magnitude;
    out->bound = (double)shape[2] + 3; /* one row may get every token; the scale, its product, acc */
    return true;
}
