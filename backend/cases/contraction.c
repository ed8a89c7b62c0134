/* Cases of matmul and gram.  Bound of a matmul with K terms: c sqrt(K) u |A||B| with c = 4 (probabilistic analysis:
   Higham & Mary, A new approach to probabilistic rounding error analysis, 2019).  Factors that a device rounds when it
   reads them add their relative errors times |A||B|: one that is cut off has an error of known sign, so these do not
   cancel. */
#include <math.h>

#include "backend/cases/case.h"

typedef struct matmul {
    int64_t batch, m, n, k, step_a, step_b; /* step: elements between matrices, 0 when shared */
    const float *a, *b, *c;
    const ms_matmul_attributes *attributes;
} matmul;

static matmul matmul_of(const ms_op_case *test, const void *const *in) {
    ms_matrix_shape a = ms_shape_matrix(&test->shape[0]), b = ms_shape_matrix(&test->shape[1]);
    matmul p = {.a = in[0], .b = in[1], .c = in[2], .attributes = &test->attributes.matmul};
    p.batch = a.batch > b.batch ? a.batch : b.batch;
    p.m = p.attributes->transpose_a ? a.columns : a.rows;
    p.k = p.attributes->transpose_a ? a.rows : a.columns;
    p.n = p.attributes->transpose_b ? b.rows : b.columns;
    p.step_a = a.batch > 1 ? a.rows * a.columns : 0;
    p.step_b = b.batch > 1 ? b.rows * b.columns : 0;
    return p;
}

static double factor_a(const matmul *p, int64_t batch, int64_t i, int64_t k) {
    return (double)p->a[batch * p->step_a + (p->attributes->transpose_a ? k * p->m + i : i * p->k + k)];
}

static double factor_b(const matmul *p, int64_t batch, int64_t k, int64_t j) {
    return (double)p->b[batch * p->step_b + (p->attributes->transpose_b ? j * p->k + k : k * p->n + j)];
}

/* alpha |A||B| of element e. */
static double absolute_sum(const matmul *p, int64_t e) {
    int64_t batch = e / (p->m * p->n), i = e / p->n % p->m, j = e % p->n;
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++) sum += fabs(factor_a(p, batch, i, k) * factor_b(p, batch, k, j));
    return sum * fabs((double)p->attributes->alpha);
}

static void matmul_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    matmul p = matmul_of(test, in);
    for (int64_t e = 0; e < p.batch * p.m * p.n; e++) {
        double sum = absolute_sum(&p, e);
        if (p.c) sum += fabs((double)p.attributes->beta * (double)p.c[e]);
        out[0][e] = sqrt((double)p.k) * sum;
    }
}

/* bf16 factors are read as they are. */
static double factor_error(const ms_op_case *test, const ms_matmul_rounding *rounding, int i) {
    return test->dtype[i] == MS_DTYPE_BF16 ? 0 : rounding->factor;
}

static void matmul_error(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                         double *const *out) {
    matmul p = matmul_of(test, in);
    double growth =
        ms_case_matmul_growth(rounding, factor_error(test, rounding, 0), factor_error(test, rounding, 1), p.k);
    for (int64_t e = 0; e < p.batch * p.m * p.n; e++) out[0][e] += growth * absolute_sum(&p, e);
}

typedef struct matmul_sizes {
    int64_t batch_a, batch_b, m, n, k;
    float alpha, beta; /* beta 0: no c */
} matmul_sizes;

static const matmul_sizes matmuls[] = {
    {1, 1, 1, 1, 1, 1, 0},      {1, 1, 1, 7, 3, 1, 0},      {1, 1, 5, 1, 17, 2, 1},      {1, 1, 2, 33, 16, 1, 0.5f},
    {1, 1, 3, 70, 31, 1, 1},    {1, 1, 13, 31, 64, 1, 0},   {1, 1, 12, 32, 512, 1, 1},   {1, 1, 12, 32, 513, -1, 0},
    {1, 1, 25, 65, 1030, 1, 0}, {1, 1, 397, 9, 11, 1, 0},   {1, 1, 7, 291, 19, 0.1f, 3}, {3, 3, 11, 37, 23, 1, 1},
    {3, 1, 14, 33, 40, 1, 0},   {1, 3, 8, 34, 15, 1, 0.3f}, {5, 5, 4, 6, 600, 1, 0},     {1, 1, 33, 34, 515, 1, 1},
    {1, 1, 65, 66, 520, 1, 0},  {1, 1, 16, 24, 520, 1, 1},  {1, 1, 40, 48, 1, 1, 0},     {1, 1, 1, 48, 640, 1, 0},
};

bool ms_cases_matmul(int i, ms_op_case *out) {
    if (i >= 4 * (int)(sizeof matmuls / sizeof *matmuls)) return false;
    const matmul_sizes *s = &matmuls[i / 4];
    bool ta = i & 1, tb = i & 2;
    *out = ms_case_of(MS_OP_MATMUL);
    out->attributes.matmul =
        (ms_matmul_attributes){.transpose_a = ta, .transpose_b = tb, .alpha = s->alpha, .beta = s->beta};
    int64_t batch = s->batch_a > s->batch_b ? s->batch_a : s->batch_b;
    ms_shape a = ms_shape_3(s->batch_a, ta ? s->k : s->m, ta ? s->m : s->k);
    ms_shape b = ms_shape_3(s->batch_b, tb ? s->n : s->k, tb ? s->k : s->n);
    if (s->batch_a == 1) a = ms_shape_2(a.dim[1], a.dim[2]);
    if (s->batch_b == 1) b = ms_shape_2(b.dim[1], b.dim[2]);
    ms_case_input(out, MS_DTYPE_F32, a, MS_CASE_SPARSE);
    ms_case_input(out, MS_DTYPE_F32, b, MS_CASE_NORMAL);
    if (s->beta != 0)
        ms_case_input(out, MS_DTYPE_F32, batch > 1 ? ms_shape_3(batch, s->m, s->n) : ms_shape_2(s->m, s->n),
                      MS_CASE_NORMAL);
    out->magnitude = matmul_magnitude;
    out->matmul_error = matmul_error;
    out->bound = 4;
    out->in_quick = s->m % 8 == 0 && s->n % 8 == 0 && s->k % 8 == 0; /* devices load more numbers at a time */
    return true;
}

static double row_element(const ms_op_case *test, const float *x, int64_t batch, int64_t i, int64_t k) {
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    int64_t at = test->attributes.gram.transpose ? k * m.columns + i : i * m.columns + k;
    return (double)x[batch * m.rows * m.columns + at];
}

typedef struct gram_sizes {
    int64_t batch, n, depth;
} gram_sizes;

static gram_sizes gram_sizes_of(const ms_op_case *test) {
    ms_matrix_shape m = ms_shape_matrix(&test->shape[0]);
    bool transpose = test->attributes.gram.transpose;
    return (gram_sizes){m.batch, transpose ? m.columns : m.rows, transpose ? m.rows : m.columns};
}

static double absolute_gram(const ms_op_case *test, const float *x, const gram_sizes *s, int64_t e) {
    int64_t batch = e / (s->n * s->n), i = e / s->n % s->n, j = e % s->n;
    double sum = 0;
    for (int64_t k = 0; k < s->depth; k++)
        sum += fabs(row_element(test, x, batch, i, k) * row_element(test, x, batch, j, k));
    return sum;
}

static void gram_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    gram_sizes s = gram_sizes_of(test);
    for (int64_t e = 0; e < s.batch * s.n * s.n; e++)
        out[0][e] = sqrt((double)s.depth) * absolute_gram(test, in[0], &s, e);
}

static void gram_matmul_error(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                              double *const *out) {
    gram_sizes s = gram_sizes_of(test);
    double factor = factor_error(test, rounding, 0), growth = ms_case_matmul_growth(rounding, factor, factor, s.depth);
    for (int64_t e = 0; e < s.batch * s.n * s.n; e++) out[0][e] += growth * absolute_gram(test, in[0], &s, e);
}

bool ms_cases_gram(int i, ms_op_case *out) {
    static const int64_t shapes[][3] = {{1, 1, 1},    {1, 3, 70},   {2, 37, 5},   {3, 65, 33},  {1, 193, 31},
                                        {1, 5, 1027}, {1, 400, 17}, {1, 65, 520}, {1, 34, 513}, {1, 24, 520}};
    static const int n_shapes = sizeof shapes / sizeof *shapes;
    if (i >= 2 * n_shapes) return false;
    /* [1,5,1027] transposed would have a million elements: [1,1027,5] instead */
    const int64_t *s = shapes[i / 2];
    bool transpose = i % 2 == 1, swap = transpose && s[2] > 512;
    *out = ms_case_of(MS_OP_GRAM);
    out->attributes.gram.transpose = transpose;
    ms_case_input(out, MS_DTYPE_F32, ms_shape_3(s[0], swap ? s[2] : s[1], swap ? s[1] : s[2]), MS_CASE_SPARSE);
    out->magnitude = gram_magnitude;
    out->matmul_error = gram_matmul_error;
    out->bound = 4;
    out->in_quick = s[1] % 8 == 0 && s[2] % 8 == 0;
    return true;
}
