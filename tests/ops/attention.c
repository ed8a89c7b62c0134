/* The attention ops: `exact` against the scalar definition in backend/cpu/attention.c and its siblings,
   `fast` against the oracle within first-order bounds.  The f64 gradient itself is compared with finite differences in
   tests/ir. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/exact.h"
#include "tests/ops/fast.h"
#include "tests/support/suite.h"

/* One head: pointers to row 0, and the strides between rows. */
typedef struct head_view {
    const ms_attention_attributes *a;
    int64_t i_head, i_kv;
    const float *q, *k, *v, *o, *lse, *d_o;
    int64_t stride, kv_stride; /* of q, o, do; of k, v */
    int64_t q_at, kv_at;       /* element of row 0 in q-like and k-like tensors */
} head_view;

static head_view head_of(const ms_op_case *test, const void *const *in, int64_t i_head) {
    const ms_attention_attributes *a = &test->attributes.attention;
    int64_t batch = i_head / a->heads, h = i_head % a->heads, g = h / (a->heads / a->kv_heads), d = a->head_size;
    head_view view = {.a = a, .i_head = i_head, .i_kv = batch * a->kv_heads + g};
    view.stride = (int64_t)a->heads * d;
    view.kv_stride = (int64_t)a->kv_heads * d;
    view.q_at = batch * a->sequence * view.stride + h * d;
    view.kv_at = batch * a->sequence * view.kv_stride + g * d;
    view.q = (const float *)in[0] + view.q_at;
    view.k = (const float *)in[1] + view.kv_at;
    if (test->op != MS_OP_ATTENTION_LOGIT_MAX) view.v = (const float *)in[2] + view.kv_at;
    if (test->op == MS_OP_ATTENTION_GRAD) {
        view.o = (const float *)in[3] + view.q_at;
        view.lse = (const float *)in[4] + i_head * a->sequence;
        view.d_o = (const float *)in[5] + view.q_at;
    }
    return view;
}

static float dot(const float *a, const float *b, int64_t n) {
    float sum = a[0] * b[0];
    for (int64_t d = 1; d < n; d++) sum = sum + a[d] * b[d];
    return sum;
}

/* Sum of x[k] * y[k] for k in [begin, end) in chunks that end at multiples of 512. */
static float chunked(const float *x, int64_t x_step, const float *y, int64_t y_step, int64_t begin, int64_t end) {
    float total = 0;
    for (int64_t k = begin; k < end;) {
        int64_t chunk_end = (k / 512 + 1) * 512 < end ? (k / 512 + 1) * 512 : end;
        bool first = k == begin;
        float sum = x[k * x_step] * y[k * y_step];
        for (k++; k < chunk_end; k++) sum = sum + x[k * x_step] * y[k * y_step];
        total = first ? sum : total + sum;
    }
    return total;
}

static float score(const head_view *view, int64_t i, int64_t j) {
    return dot(view->q + i * view->stride, view->k + j * view->kv_stride, view->a->head_size) * view->a->scale;
}

static void reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    float *p = malloc((size_t)a->sequence * sizeof *p);
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        float *o = (float *)out[0] + view.q_at, *lse = (float *)out[1] + h * a->sequence;
        for (int64_t i = 0; i < a->sequence; i++) {
            for (int64_t j = 0; j <= i; j++) p[j] = score(&view, i, j);
            float max = p[0];
            for (int64_t j = 1; j <= i; j++) max = p[j] > max ? p[j] : max;
            for (int64_t j = 0; j <= i; j++) p[j] = ms_exp(p[j] - max);
            float sum = ms_naive_reduce(p, i + 1), inverse = ms_reciprocal(sum);
            lse[i] = max + ms_log(sum);
            for (int64_t d = 0; d < a->head_size; d++)
                o[i * view.stride + d] = chunked(p, 1, view.v + d, view.kv_stride, 0, i + 1) * inverse;
        }
    }
    free(p);
}

/* p and ds [T][T] of one head. */
static void score_gradients(const head_view *view, float *p, float *ds) {
    int64_t n = view->a->sequence, d = view->a->head_size;
    float *products = malloc((size_t)d * sizeof *products);
    for (int64_t i = 0; i < n; i++) {
        const float *o = view->o + i * view->stride, *d_o = view->d_o + i * view->stride;
        for (int64_t c = 0; c < d; c++) products[c] = d_o[c] * o[c];
        float delta = ms_naive_reduce(products, d);
        for (int64_t j = 0; j <= i; j++) {
            p[i * n + j] = ms_exp(score(view, i, j) - view->lse[i]);
            ds[i * n + j] = p[i * n + j] * (dot(d_o, view->v + j * view->kv_stride, d) - delta);
        }
    }
    free(products);
}

static void grad_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    int64_t n = a->sequence, group = a->heads / a->kv_heads;
    float *p = calloc((size_t)(n * n), sizeof *p), *ds = calloc((size_t)(n * n), sizeof *ds);
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        score_gradients(&view, p, ds);
        float *dq = (float *)out[0] + view.q_at, *dk = (float *)out[1] + view.kv_at, *dv = (float *)out[2] + view.kv_at;
        bool first = h % group == 0, last = h % group == group - 1;
        for (int64_t e = 0; e < n * a->head_size; e++) {
            int64_t row = e / a->head_size, d = e % a->head_size, at = row * view.kv_stride + d;
            dq[row * view.stride + d] = chunked(ds + row * n, 1, view.k + d, view.kv_stride, 0, row + 1) * a->scale;
            float k_sum = chunked(ds + row, n, view.q + d, view.stride, row, n);
            float v_sum = chunked(p + row, n, view.d_o + d, view.stride, row, n);
            dk[at] = first ? k_sum : dk[at] + k_sum;
            dv[at] = first ? v_sum : dv[at] + v_sum;
            if (last) dk[at] = dk[at] * a->scale;
        }
    }
    free(p);
    free(ds);
}

static void logit_max_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    float *largest = out[0];
    for (int h = 0; h < a->heads; h++) largest[h] = -INFINITY;
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        float *y = &largest[h % a->heads];
        for (int64_t i = 0; i < a->sequence; i++)
            for (int64_t j = 0; j <= i; j++) {
                float s = score(&view, i, j);
                *y = isnan(s) || isnan(*y) ? NAN : s > *y ? s : *y;
            }
    }
}

/* The query of row r, whose keys begin at the first row of its cache. */
static void attend_one(const head_view *view, const float *q, int64_t n, float *o) {
    float *p = malloc((size_t)n * sizeof *p), max;
    for (int64_t j = 0; j < n; j++) p[j] = dot(q, view->k + j * view->kv_stride, view->a->head_size) * view->a->scale;
    max = p[0];
    for (int64_t j = 1; j < n; j++) max = p[j] > max ? p[j] : max;
    for (int64_t j = 0; j < n; j++) p[j] = ms_exp(p[j] - max);
    float inverse = ms_reciprocal(ms_naive_reduce(p, n));
    for (int64_t d = 0; d < view->a->head_size; d++) o[d] = chunked(p, 1, view->v + d, view->kv_stride, 0, n) * inverse;
    free(p);
}

static void cached_reference(const ms_op_case *test, const void *const *in, void *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    int64_t d = a->head_size, group = a->heads / a->kv_heads, stride = (int64_t)a->kv_heads * d;
    for (int64_t i = 0; i < test->shape[0].dim[0] * a->heads; i++) {
        int64_t row = ((const int32_t *)in[3])[i / a->heads], at = i % a->heads / group * d;
        float *o = (float *)out[0] + i * d;
        for (int64_t c = 0; c < d; c++) o[c] = 0;
        if (row < 0 || row >= (int64_t)a->batch * a->sequence) continue;
        int64_t n = row % a->sequence + 1;
        head_view view = {.a = a, .kv_stride = stride};
        view.k = (const float *)in[1] + (row + 1 - n) * stride + at;
        view.v = (const float *)in[2] + (row + 1 - n) * stride + at;
        attend_one(&view, (const float *)in[0] + i * d, n, o);
    }
}

static int count_cases(ms_op op) {
    ms_op_case test;
    int n = 0;
    while (ms_case_make(op, n, &test)) n++;
    return n;
}

/* Calls check on case i of op.  Under the thread sanitizer the longest sequence takes minutes and divides its rows
   among threads as those of a fourth of its length do. */
static void check_case(ms_op op, int i, void (*check)(ms_op_case *test)) {
    ms_op_case test;
    ck_assert(ms_case_make(op, i, &test));
#ifdef __SANITIZE_THREAD__
    if (test.attributes.attention.sequence > 2048) return;
#endif
    check(&test);
}

static void check_exact_forward(ms_op_case *test) { ms_case_check(test, reference); }

START_TEST(exact_forward) { check_case(MS_OP_ATTENTION, _i, check_exact_forward); }
END_TEST

static void check_exact_gradient(ms_op_case *test) { ms_case_check(test, grad_reference); }

START_TEST(exact_gradient) { check_case(MS_OP_ATTENTION_GRAD, _i, check_exact_gradient); }
END_TEST

START_TEST(fast_forward) { check_case(MS_OP_ATTENTION, _i, ms_fast_check); }
END_TEST

START_TEST(fast_gradient) { check_case(MS_OP_ATTENTION_GRAD, _i, ms_fast_check); }
END_TEST

static void check_exact_logit_max(ms_op_case *test) { ms_case_check(test, logit_max_reference); }

START_TEST(exact_logit_max) { check_case(MS_OP_ATTENTION_LOGIT_MAX, _i, check_exact_logit_max); }
END_TEST

START_TEST(fast_logit_max) { check_case(MS_OP_ATTENTION_LOGIT_MAX, _i, ms_fast_check); }
END_TEST

static void check_exact_cached(ms_op_case *test) { ms_case_check(test, cached_reference); }

START_TEST(exact_cached) { check_case(MS_OP_CACHED_ATTENTION, _i, check_exact_cached); }
END_TEST

START_TEST(fast_cached) { check_case(MS_OP_CACHED_ATTENTION, _i, ms_fast_check); }
END_TEST

int main(void) {
    Suite *suite = suite_create("attention");
    TCase *tcase = tcase_create("attention");
    tcase_set_timeout(tcase, 120);
    int n = count_cases(MS_OP_ATTENTION), n_logit_max = count_cases(MS_OP_ATTENTION_LOGIT_MAX);
    tcase_add_loop_test(tcase, exact_forward, 0, n);
    tcase_add_loop_test(tcase, exact_gradient, 0, n);
    tcase_add_loop_test(tcase, fast_forward, 0, n);
    tcase_add_loop_test(tcase, fast_gradient, 0, n);
    tcase_add_loop_test(tcase, exact_logit_max, 0, n_logit_max);
    tcase_add_loop_test(tcase, fast_logit_max, 0, n_logit_max);
    int n_cached = count_cases(MS_OP_CACHED_ATTENTION);
    tcase_add_loop_test(tcase, exact_cached, 0, n_cached);
    tcase_add_loop_test(tcase, fast_cached, 0, n_cached);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
