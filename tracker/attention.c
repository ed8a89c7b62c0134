#include "tracker/attention.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "platform/blas.h"
#include "tracker/entropy.h"

enum { BLOCK = 32 }; /* columns that DGEQRF works on at a time: OpenBLAS' own */

struct ms_attention_scratch {
    ms_attention_shape shape;
    double *memory;       /* one allocation, cut into the arrays below */
    double *q, *k;        /* [T, D] of one head and sequence */
    double *logits;       /* [T, T] */
    double *factor;       /* [C, D], column-major */
    double *tau;          /* [r] reflector scalars */
    double *work;         /* [BLOCK * D + SVD_WORK * r] */
    double *factors;      /* [2 H + 2 G] triangles [r, D]: of q, o, k, v */
    double *product;      /* [r, r] */
    double *values;       /* [r] */
    lapack_int *integers; /* [8 r] of DGESDD */
};

enum { SVD_WORK = 10 }; /* r times this is what DGESDD works in for values alone */

static size_t rank_of(const ms_attention_shape *shape) {
    return (size_t)(shape->width < shape->head_size ? shape->width : shape->head_size);
}

ms_status ms_attention_shape_check(const ms_attention_shape *shape) {
    if (shape->heads < 1 || shape->kv_heads < 1 || shape->heads % shape->kv_heads != 0 || shape->head_size < 1 ||
        shape->width < 1)
        return MS_FAIL(
            MS_INVALID,
            "attention statistics: %d heads of %d, %d key/value heads, width %d: each must be at least 1, and "
            "key/value heads divide heads",
            shape->heads, shape->head_size, shape->kv_heads, shape->width);
    if (shape->sequences < 1 || shape->tokens < 2)
        return MS_FAIL(
            MS_INVALID,
            "attention statistics: %d sequences of %d tokens: there must be one, and two tokens, since a query "
            "that sees one key has no entropy",
            shape->sequences, shape->tokens);
    return MS_OK;
}

static size_t n_factors(const ms_attention_shape *shape) {
    return 2 * ((size_t)shape->heads + (size_t)shape->kv_heads);
}

static size_t scratch_doubles(const ms_attention_shape *shape) {
    size_t t = (size_t)shape->tokens, d = (size_t)shape->head_size, c = (size_t)shape->width, r = rank_of(shape);
    return 2 * t * d + t * t + c * d + r + BLOCK * d + SVD_WORK * r + n_factors(shape) * r * d + r * r + r;
}

size_t ms_attention_scratch_bytes(const ms_attention_shape *shape) {
    return sizeof(ms_attention_scratch) + sizeof(double) * scratch_doubles(shape) +
           sizeof(lapack_int) * 8 * rank_of(shape);
}

ms_status ms_attention_scratch_create(const ms_attention_shape *shape, ms_attention_scratch **out) {
    *out = NULL;
    MS_TRY(ms_attention_shape_check(shape));
    MS_TRY(ms_blas_prepare());
    MS_TRY(ms_blas_reserve(1));
    ms_attention_scratch *scratch = calloc(1, sizeof *scratch);
    double *memory = malloc(sizeof(double) * scratch_doubles(shape));
    lapack_int *integers = malloc(sizeof(lapack_int) * 8 * rank_of(shape));
    if (!scratch || !memory || !integers) {
        free(scratch);
        free(memory);
        free(integers);
        return MS_FAIL(MS_OUT_OF_MEMORY, "attention statistics: %zu bytes", ms_attention_scratch_bytes(shape));
    }
    size_t t = (size_t)shape->tokens, d = (size_t)shape->head_size, r = rank_of(shape);
    scratch->shape = *shape;
    scratch->memory = memory;
    scratch->integers = integers;
    struct {
        double **place;
        size_t n;
    } parts[] = {{&scratch->q, t * d},
                 {&scratch->k, t * d},
                 {&scratch->logits, t * t},
                 {&scratch->factor, (size_t)shape->width * d},
                 {&scratch->tau, r},
                 {&scratch->work, BLOCK * d + SVD_WORK * r},
                 {&scratch->factors, n_factors(shape) * r * d},
                 {&scratch->product, r * r},
                 {&scratch->values, r}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = memory;
        memory += parts[i].n;
    }
    *out = scratch;
    return MS_OK;
}

void ms_attention_scratch_destroy(ms_attention_scratch *scratch) {
    if (!scratch) return;
    free(scratch->memory);
    free(scratch->integers);
    free(scratch);
}

/* ---- what the heads look at ---- */

static ms_status check_finite(const char *name, const char *what, const float *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return MS_FAIL(MS_NUMERIC, "attention of %s: element %zu of %s is %g", name, i, what, (double)values[i]);
    return MS_OK;
}

/* [T, D] of one head out of [T, heads * D]. */
static void load_head(const float *from, int tokens, int stride, int head_size, double *out) {
    for (int i = 0; i < tokens; i++)
        for (int d = 0; d < head_size; d++) out[(size_t)i * head_size + d] = from[(size_t)i * stride + d];
}

/* Adds query i, whose logits are row [i + 1], to the sums. */
static void add_query(const double *row, int i, ms_attention_statistics *sums) {
    double most = row[0], sum = 0, weighted = 0;
    for (int j = 1; j <= i; j++) most = fmax(most, row[j]);
    sums->logit_max = fmax(sums->logit_max, most);
    if (i == 0) return;
    for (int j = 0; j <= i; j++) {
        double e = exp(row[j] - most);
        sum += e;
        weighted += e * (row[j] - most);
    }
    sums->entropy += (log(sum) - weighted / sum) / log(i + 1.0); /* -log p = log(sum) - (x - most) */
    sums->first_token += exp(row[0] - most) / sum;
}

ms_status ms_attention_compute(ms_attention_scratch *scratch, const char *name, const float *q, const float *k,
                               double scale, ms_attention_statistics *out) {
    const ms_attention_shape *shape = &scratch->shape;
    int t = shape->tokens, d = shape->head_size, q_stride = shape->heads * d, k_stride = shape->kv_heads * d;
    size_t n = (size_t)shape->sequences * (size_t)t;
    MS_TRY(check_finite(name, "q", q, n * (size_t)q_stride));
    MS_TRY(check_finite(name, "k", k, n * (size_t)k_stride));
    ms_blas_this_thread();
    for (int h = 0; h < shape->heads; h++) {
        ms_attention_statistics sums = {0, -HUGE_VAL, 0};
        int group = h / (shape->heads / shape->kv_heads);
        for (int s = 0; s < shape->sequences; s++) {
            load_head(q + (size_t)s * t * q_stride + (size_t)h * d, t, q_stride, d, scratch->q);
            load_head(k + (size_t)s * t * k_stride + (size_t)group * d, t, k_stride, d, scratch->k);
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, scale, scratch->q, d, scratch->k, d, 0,
                        scratch->logits, t);
            for (int i = 0; i < t; i++) add_query(scratch->logits + (size_t)i * t, i, &sums);
        }
        double queries = (double)shape->sequences * (t - 1);
        out[h] = (ms_attention_statistics){sums.entropy / queries, sums.logit_max, sums.first_token / queries};
    }
    return MS_OK;
}

/* ---- products of its matrices ---- */

static ms_status check_lapack(lapack_int info, const char *routine, const char *name) {
    return info == 0 ? MS_OK : MS_FAIL(MS_INTERNAL, "attention of %s: %s returned %d", name, routine, (int)info);
}

/* R of the QR factorisation of scratch->factor [C, D]: upper trapezoid [r, D], column-major. */
static ms_status triangle(ms_attention_scratch *scratch, const char *name, double *out) {
    lapack_int c = scratch->shape.width, d = scratch->shape.head_size, r = (lapack_int)rank_of(&scratch->shape);
    MS_TRY(check_lapack(
        LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, c, d, scratch->factor, c, scratch->tau, scratch->work, BLOCK * d),
        "DGEQRF", name));
    for (lapack_int j = 0; j < d; j++)
        for (lapack_int i = 0; i < r; i++) out[(size_t)j * r + i] = i <= j ? scratch->factor[(size_t)j * c + i] : 0;
    return MS_OK;
}

/* Triangles of n heads: of W^T for rows of W [n D, C], or of columns of W [C, n D]. */
static ms_status triangles(ms_attention_scratch *scratch, const char *name, const float *weight, int n_heads,
                           bool are_columns, double *out) {
    size_t c = (size_t)scratch->shape.width, d = (size_t)scratch->shape.head_size, r = rank_of(&scratch->shape);
    size_t stride = (size_t)n_heads * d;
    for (size_t h = 0; h < (size_t)n_heads; h++) {
        for (size_t j = 0; j < d; j++)
            for (size_t i = 0; i < c; i++)
                scratch->factor[j * c + i] = are_columns ? weight[i * stride + h * d + j] : weight[(h * d + j) * c + i];
        MS_TRY(triangle(scratch, name, out + h * r * d));
    }
    return MS_OK;
}

static ms_status product_spectrum(ms_attention_scratch *scratch, const char *name, const double *left,
                                  const double *right, ms_product_spectrum *out) {
    lapack_int d = scratch->shape.head_size, r = (lapack_int)rank_of(&scratch->shape);
    double sum = 0;
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, r, r, d, 1, left, r, right, r, 0, scratch->product, r);
    MS_TRY(check_lapack(LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'N', r, r, scratch->product, r, scratch->values, NULL, r,
                                            NULL, r, scratch->work, SVD_WORK * r, scratch->integers),
                        "DGESDD", name));
    *out = (ms_product_spectrum){.n_top = r < MS_PRODUCT_TOP ? r : MS_PRODUCT_TOP, .effective_rank = NAN};
    for (int i = 0; i < out->n_top; i++) out->sigma_top[i] = scratch->values[i];
    for (int i = 0; i < r; i++) sum += scratch->values[i];
    if (sum == 0) return MS_OK;
    out->effective_rank = exp(ms_entropy(scratch->values, (int)r, false, sum));
    return MS_OK;
}

ms_status ms_attention_products(ms_attention_scratch *scratch, const ms_attention_weights *weights,
                                ms_product_spectrum *out_qk, ms_product_spectrum *out_ov) {
    const ms_attention_shape *shape = &scratch->shape;
    int heads = shape->heads, groups = shape->kv_heads;
    size_t one = rank_of(shape) * (size_t)shape->head_size, per_head = (size_t)shape->head_size * (size_t)shape->width;
    double *q = scratch->factors, *o = q + (size_t)heads * one, *k = o + (size_t)heads * one,
           *v = k + (size_t)groups * one;
    const struct {
        const char *name;
        const float *weight;
        int n_heads;
        bool are_columns;
        double *out;
    } parts[] = {{"W_q", weights->q, heads, false, q},
                 {"W_k", weights->k, groups, false, k},
                 {"W_v", weights->v, groups, false, v},
                 {"W_o", weights->o, heads, true, o}};
    ms_blas_this_thread();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        MS_TRY(check_finite(weights->name, parts[i].name, parts[i].weight, (size_t)parts[i].n_heads * per_head));
        MS_TRY(
            triangles(scratch, weights->name, parts[i].weight, parts[i].n_heads, parts[i].are_columns, parts[i].out));
    }
    for (int h = 0; h < heads; h++) {
        size_t group = (size_t)(h / (heads / groups));
        MS_TRY(product_spectrum(scratch, weights->name, q + (size_t)h * one, k + group * one, &out_qk[h]));
        MS_TRY(product_spectrum(scratch, weights->name, o + (size_t)h * one, v + group * one, &out_ov[h]));
    }
    return MS_OK;
}
