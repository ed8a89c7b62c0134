/* Cases of cross_entropy and tied_cross_entropy. */
#include <math.h>

#include "backend/cases/case.h"

static void cross_entropy_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const int32_t *targets = in[1];
    int64_t columns = test->shape[0].dim[1];
    for (int64_t n = 0; n < test->shape[0].dim[0]; n++) {
        if (targets[n] < 0) continue;
        const float *x = (const float *)in[0] + n * columns;
        double largest = 1 + log((double)columns);
        for (int64_t v = 0; v < columns; v++) largest = fmax(largest, fabs((double)x[v]));
        out[0][n] = 3 * largest;
        out[1][n * columns + targets[n]] += 2 * fabs((double)test->attributes.cross_entropy.scale);
    }
}

bool ms_cases_cross_entropy(int i, ms_op_case *out) {
    static const int64_t shapes[][2] = {{1, 1},   {5, 2},    {7, 31},   {6, 32},   {9, 65},
                                        {4, 127}, {33, 512}, {3, 4096}, {5, 5003}, {2, 49152}};
    if (i >= 20) return false;
    int64_t rows = shapes[i / 2][0], columns = shapes[i / 2][1];
    *out = ms_case_of(MS_OP_CROSS_ENTROPY);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(rows, columns), MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(rows), MS_CASE_NORMAL);
    out->low = i % 2 ? -1 : 0, out->high = (int32_t)columns;
    out->attributes.cross_entropy.scale = 0.015625f;
    out->magnitude = cross_entropy_magnitude;
    out->skip_special = out->low < 0; /* a row without target hides what it holds */
    /* |x - m| < 12, so its rounding changes p by 12 u: in p and in l, with the sum, exp, 1/l and products */
    out->bound = ms_case_depth(columns) + 2 * 12 + 2 * 2.1 + 6;
    out->native = 2 * 2 * (3 + 2 * 12) + 2 * 3 + 5; /* exp in p and in l, log, division */
    return true;
}

/* First-order errors in units of u, all counted here (bound = 1): logits are products of C terms, each loss takes the
   largest error of its row's logits at most twice and p_v changes by p_v times that, and dh, dE are products of V and N
   terms. */
typedef struct head_error {
    int64_t n, c, v;
    const float *h, *e;
    const int32_t *targets;
    double scale;
    double rounding;        /* of dlogits to bf16 here and in the oracle: 2^-8 of each, in units of u; 0: f32 */
    double *logits, *slack; /* [v]: |dlogits|, their errors */
} head_error;

/* |dlogits| and their errors of one token; returns the error of its loss. */
static double token_error(const head_error *head, int64_t n) {
    double most = -HUGE_VAL, worst = 0, sum = 0;
    for (int64_t v = 0; v < head->v; v++) {
        double logit = 0, absolute = 0;
        for (int64_t c = 0; c < head->c; c++) {
            double product = (double)head->h[n * head->c + c] * (double)head->e[v * head->c + c];
            logit += product;
            absolute += fabs(product);
        }
        head->logits[v] = logit;
        most = fmax(most, logit);
        worst = fmax(worst, 4 * sqrt((double)head->c) * absolute);
    }
    for (int64_t v = 0; v < head->v; v++) sum += exp(head->logits[v] - most);
    for (int64_t v = 0; v < head->v; v++) {
        double range = most - head->logits[v], p = exp(-range) / sum;
        bool hit = v == head->targets[n];
        double relative = 2 * worst + 2 * 2 * (3 + 2 * range) + range + ms_case_depth(head->v) + 12;
        head->slack[v] = head->scale * (p * relative + (hit ? 2 : 0));
        head->logits[v] = head->scale * fabs(p - (hit ? 1 : 0));
        head->slack[v] += 1.01 * head->rounding * head->logits[v];
    }
    return 2 * worst + 3 * (fabs(most) + log(sum) + 1) + ms_case_depth(head->v) + 120;
}

static void add_token(const head_error *head, int64_t n, double *dh, double *de) {
    double dh_terms = 4 * sqrt((double)head->v), de_terms = 4 * sqrt((double)head->n);
    for (int64_t v = 0; v < head->v; v++)
        for (int64_t c = 0; c < head->c; c++) {
            double e = fabs((double)head->e[v * head->c + c]), h = fabs((double)head->h[n * head->c + c]);
            dh[n * head->c + c] += (head->slack[v] + dh_terms * head->logits[v]) * e;
            de[v * head->c + c] += (head->slack[v] + de_terms * head->logits[v]) * h;
        }
}

/* What rounded matmuls add: relative errors of logits, dh and dE as sums of matmuls. */
typedef struct head_growth {
    double logits, dh, de;
} head_growth;

static head_growth growth_of(const ms_op_case *test, const head_error *head, const ms_matmul_rounding *rounding) {
    double h = test->dtype[0] == MS_DTYPE_BF16 ? 0 : rounding->factor;
    double e = test->dtype[1] == MS_DTYPE_BF16 ? 0 : rounding->factor;
    double dlogits = test->attributes.tied_cross_entropy.dtype == MS_DTYPE_BF16 ? 0 : rounding->factor;
    return (head_growth){ms_case_matmul_growth(rounding, h, e, head->c),
                         ms_case_matmul_growth(rounding, dlogits, e, head->v),
                         ms_case_matmul_growth(rounding, dlogits, h, head->n)};
}

/* |dlogits| of one token and what logits off by e_v move them by: with L = sum of p_v exp(e_v), p_v grows by at most
   exp(e_v) L.  Returns the error of its loss, that of the target's logit and log L. */
static double token_matmul_error(const head_error *head, const head_growth *growth, int64_t n) {
    double most = -HUGE_VAL, sum = 0, moved = 0;
    for (int64_t v = 0; v < head->v; v++) {
        double logit = 0, absolute = 0;
        for (int64_t c = 0; c < head->c; c++) {
            double product = (double)head->h[n * head->c + c] * (double)head->e[v * head->c + c];
            logit += product;
            absolute += fabs(product);
        }
        head->logits[v] = logit;
        head->slack[v] = growth->logits * absolute;
        most = fmax(most, logit);
    }
    for (int64_t v = 0; v < head->v; v++) {
        sum += exp(head->logits[v] - most);
        moved += exp(head->logits[v] - most + head->slack[v]);
    }
    double log_growth = log(moved / sum), loss = head->slack[head->targets[n]] + log_growth;
    for (int64_t v = 0; v < head->v; v++) {
        double p = exp(head->logits[v] - most) / sum;
        head->slack[v] = head->scale * p * expm1(head->slack[v] + log_growth);
        head->logits[v] = head->scale * fabs(p - (v == head->targets[n] ? 1 : 0));
    }
    return loss;
}

static void add_token_matmul_error(const head_error *head, const head_growth *growth, int64_t n, double *dh,
                                   double *de) {
    for (int64_t v = 0; v < head->v; v++) {
        double off = head->logits[v] + head->slack[v];
        double for_h = off * (1 + growth->dh) - head->logits[v], for_e = off * (1 + growth->de) - head->logits[v];
        for (int64_t c = 0; c < head->c; c++) {
            dh[n * head->c + c] += for_h * fabs((double)head->e[v * head->c + c]);
            de[v * head->c + c] += for_e * fabs((double)head->h[n * head->c + c]);
        }
    }
}

enum { MAX_VOCABULARY = 1024 };

static head_error head_of(const ms_op_case *test, const void *const *in, double *logits, double *slack) {
    return (head_error){.n = test->shape[0].dim[0],
                        .c = test->shape[0].dim[1],
                        .v = test->shape[1].dim[0],
                        .h = in[0],
                        .e = in[1],
                        .targets = in[2],
                        .scale = (double)test->attributes.tied_cross_entropy.scale,
                        .rounding =
                            test->attributes.tied_cross_entropy.dtype == MS_DTYPE_BF16 ? 2 * 0x1p-8 / 0x1p-24 : 0,
                        .logits = logits,
                        .slack = slack};
}

static void tied_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    double logits[MAX_VOCABULARY], slack[MAX_VOCABULARY];
    head_error head = head_of(test, in, logits, slack);
    for (int64_t i = 0; i < head.n * head.c; i++) out[1][i] = 0;
    for (int64_t i = 0; i < head.v * head.c; i++) out[2][i] = 0;
    double loss = (2 + ms_case_depth(head.n)) * out[0][0]; /* every loss is positive: the sum's error, the scale */
    for (int64_t n = 0; n < head.n; n++) {
        if (head.targets[n] < 0) continue;
        double error = token_error(&head, n);
        loss += head.scale * error;
        out[3][n] = error;
        add_token(&head, n, out[1], out[2]);
    }
    out[0][0] = loss;
}

static void tied_matmul_error(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                              double *const *out) {
    double logits[MAX_VOCABULARY], slack[MAX_VOCABULARY];
    head_error head = head_of(test, in, logits, slack);
    head_growth growth = growth_of(test, &head, rounding);
    for (int64_t n = 0; n < head.n; n++) {
        if (head.targets[n] < 0) continue;
        double error = token_matmul_error(&head, &growth, n);
        out[0][0] += head.scale * error;
        out[3][n] += error;
        add_token_matmul_error(&head, &growth, n, out[1], out[2]);
    }
}

bool ms_cases_tied_cross_entropy(int i, ms_op_case *out) {
    /* tokens, width, vocabulary, chunk */
    static const int64_t shapes[][4] = {{1, 1, 2, 1},     {7, 5, 13, 3},     {32, 8, 31, 32},
                                        {33, 17, 96, 16}, {65, 32, 515, 64}, {96, 64, 512, 37}};
    if (i >= 12) return false;
    const int64_t *s = shapes[i / 2];
    *out = ms_case_of(MS_OP_TIED_CROSS_ENTROPY);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(s[0], s[1]), MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(s[2], s[1]), MS_CASE_POSITIVE);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(s[0]), MS_CASE_NORMAL);
    out->low = i % 2 ? -1 : 0, out->high = (int32_t)s[2];
    out->attributes.tied_cross_entropy = (ms_tied_cross_entropy_attributes){1.0f / (float)s[0], s[3], MS_DTYPE_F32};
    out->magnitude = tied_magnitude;
    out->matmul_error = tied_matmul_error;
    out->bound = 1;
    out->skip_special = out->low < 0;
    return true;
}
