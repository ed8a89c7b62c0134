/* Cases of attention, attention_grad, attention_logit_max and cached_attention, with first-order bounds. */
#include <math.h>

#include "backend/cases/case.h"

/* One query head: pointers to row 0, and the strides between rows. */
typedef struct head_view {
    const ms_attention_attributes *a;
    const float *q, *k, *v, *o, *lse, *d_o;
    int64_t stride, kv_stride; /* of q, o, do; of k, v */
    int64_t q_at, kv_at;       /* element of row 0 in q-like and k-like tensors */
} head_view;

static head_view head_of(const ms_op_case *test, const void *const *in, int64_t i_head) {
    const ms_attention_attributes *a = &test->attributes.attention;
    int64_t batch = i_head / a->heads, h = i_head % a->heads, g = h / (a->heads / a->kv_heads), d = a->head_size;
    head_view view = {.a = a, .stride = (int64_t)a->heads * d, .kv_stride = (int64_t)a->kv_heads * d};
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

/* What one relative rounding error of a weight p_ij amounts to, in units of u: that of the score's dot product, of lse,
   of the exponential, and of the sums over up to T terms. */
static double weight_error(const head_view *view, int64_t i, double lse, int64_t j, double *out_p) {
    int64_t d = view->a->head_size;
    double s = 0, absolute = 0;
    for (int64_t c = 0; c < d; c++) {
        double product = (double)view->q[i * view->stride + c] * (double)view->k[j * view->kv_stride + c];
        s += product;
        absolute += fabs(product);
    }
    double scale = (double)view->a->scale;
    *out_p = exp(s * scale - lse);
    return sqrt((double)d) * absolute * scale + fabs(lse) + sqrt((double)view->a->sequence) + 4;
}

static void row_magnitude(const head_view *view, int64_t i, double *o, double *lse) {
    double sum = 0, worst = 0, p;
    for (int64_t j = 0; j <= i; j++) {
        worst = fmax(worst, weight_error(view, i, 0, j, &p));
        sum += p;
    }
    for (int64_t c = 0; c < view->a->head_size; c++) o[c] = 0;
    for (int64_t j = 0; j <= i; j++) {
        weight_error(view, i, 0, j, &p);
        for (int64_t c = 0; c < view->a->head_size; c++)
            o[c] += worst * p / sum * fabs((double)view->v[j * view->kv_stride + c]);
    }
    *lse += worst;
}

static void magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        for (int64_t i = 0; i < a->sequence; i++)
            row_magnitude(&view, i, out[0] + view.q_at + i * view.stride, &out[1][h * a->sequence + i]);
    }
}

static void pair_magnitude(const head_view *view, int64_t i, int64_t j, double *const *out) {
    int64_t d = view->a->head_size, q_row = i * view->stride, k_row = j * view->kv_stride;
    const float *q = view->q + q_row, *o = view->o + q_row, *d_o = view->d_o + q_row;
    const float *k = view->k + k_row, *v = view->v + k_row;
    double p, error = weight_error(view, i, (double)view->lse[i], j, &p), ds = 0, scale = (double)view->a->scale;
    for (int64_t c = 0; c < d; c++) ds += fabs((double)d_o[c]) * (fabs((double)v[c]) + fabs((double)o[c]));
    ds *= p * (error + sqrt((double)d));
    for (int64_t c = 0; c < d; c++) {
        out[0][view->q_at + q_row + c] += ds * fabs((double)k[c]) * scale;
        out[1][view->kv_at + k_row + c] += ds * fabs((double)q[c]) * scale;
        out[2][view->kv_at + k_row + c] += error * p * fabs((double)d_o[c]);
    }
}

static void grad_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    for (int k = 0; k < 3; k++)
        for (int64_t e = 0; e < ms_shape_count(&test->out[k].shape); e++) out[k][e] = 0;
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        for (int64_t i = 0; i < a->sequence; i++)
            for (int64_t j = 0; j <= i; j++) pair_magnitude(&view, i, j, out);
    }
}

/* ---- what rounded matmuls add ---- */

/* Relative errors of sums of products: scores (and do v), and weighted sums of n terms by weighted(). */
typedef struct matmul_errors {
    const ms_matmul_rounding *rounding;
    double factor, weight; /* of a factor, of a weight when it is multiplied */
    double score;
} matmul_errors;

static matmul_errors errors_of(const ms_op_case *test, const ms_matmul_rounding *rounding) {
    bool bf16 = test->dtype[0] == MS_DTYPE_BF16;
    matmul_errors errors = {.rounding = rounding,
                            .factor = bf16 ? 0 : rounding->attention_factor,
                            .weight = bf16 ? rounding->attention_weight : rounding->attention_factor};
    errors.score = ms_case_matmul_growth(rounding, errors.factor, errors.factor, test->attributes.attention.head_size);
    return errors;
}

static double weighted(const matmul_errors *errors, int64_t n) {
    return ms_case_matmul_growth(errors->rounding, errors->weight, errors->factor, n);
}

/* exp(s_ij - lse), and the error of s_ij. */
static double weight_of(const head_view *view, const matmul_errors *errors, int64_t i, double lse, int64_t j,
                        double *out_error) {
    double s = 0, absolute = 0, scale = (double)view->a->scale;
    for (int64_t c = 0; c < view->a->head_size; c++) {
        double product = (double)view->q[i * view->stride + c] * (double)view->k[j * view->kv_stride + c];
        s += product;
        absolute += fabs(product);
    }
    *out_error = errors->score * absolute * fabs(scale);
    return exp(s * scale - lse);
}

/* Scores off by e_j move l by a factor of at most L = sum of P_j exp(e_j), so each share P_j = p_j / l by exp(e_j) L;
   then the weight and the value are rounded, and their products summed. */
static void row_matmul_error(const head_view *view, const matmul_errors *errors, int64_t i, double *o, double *lse) {
    double sum = 0, moved = 0, e;
    for (int64_t j = 0; j <= i; j++) {
        double p = weight_of(view, errors, i, 0, j, &e);
        sum += p;
        moved += p * exp(e);
    }
    double growth = moved / sum;
    *lse += log(growth);
    for (int64_t j = 0; j <= i; j++) {
        double share = weight_of(view, errors, i, 0, j, &e) / sum;
        double error = share * (exp(e) * growth * (1 + weighted(errors, i + 1)) - 1);
        for (int64_t c = 0; c < view->a->head_size; c++) o[c] += error * fabs((double)view->v[j * view->kv_stride + c]);
    }
}

static void matmul_error(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                         double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    matmul_errors errors = errors_of(test, rounding);
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        for (int64_t i = 0; i < a->sequence; i++)
            row_matmul_error(&view, &errors, i, out[0] + view.q_at + i * view.stride, &out[1][h * a->sequence + i]);
    }
}

/* p is off by exp(e), do v by its own error; ds = p (do v - do o) by both. */
static void pair_matmul_error(const head_view *view, const matmul_errors *errors, int64_t i, int64_t j,
                              double *const *out) {
    const ms_attention_attributes *a = view->a;
    int64_t q_row = i * view->stride, k_row = j * view->kv_stride;
    const float *q = view->q + q_row, *o = view->o + q_row, *d_o = view->d_o + q_row;
    const float *k = view->k + k_row, *v = view->v + k_row;
    double e, p = weight_of(view, errors, i, (double)view->lse[i], j, &e), dp = 0, absolute = 0;
    for (int64_t c = 0; c < a->head_size; c++) {
        dp += (double)d_o[c] * ((double)v[c] - (double)o[c]);
        absolute += fabs((double)d_o[c] * (double)v[c]);
    }
    int64_t n_queries = (a->sequence - j) * (a->heads / a->kv_heads);
    double ds = p * fabs(dp), off_ds = p * exp(e) * (fabs(dp) + errors->score * absolute),
           scale = fabs((double)a->scale);
    double for_q = (off_ds * (1 + weighted(errors, i + 1)) - ds) * scale;
    double for_k = (off_ds * (1 + weighted(errors, n_queries)) - ds) * scale;
    double for_v = p * (exp(e) * (1 + weighted(errors, n_queries)) - 1);
    for (int64_t c = 0; c < a->head_size; c++) {
        out[0][view->q_at + q_row + c] += for_q * fabs((double)k[c]);
        out[1][view->kv_at + k_row + c] += for_k * fabs((double)q[c]);
        out[2][view->kv_at + k_row + c] += for_v * fabs((double)d_o[c]);
    }
}

static void grad_matmul_error(const ms_op_case *test, const ms_matmul_rounding *rounding, const void *const *in,
                              double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    matmul_errors errors = errors_of(test, rounding);
    for (int64_t h = 0; h < (int64_t)a->batch * a->heads; h++) {
        head_view view = head_of(test, in, h);
        for (int64_t i = 0; i < a->sequence; i++)
            for (int64_t j = 0; j <= i; j++) pair_matmul_error(&view, &errors, i, j, out);
    }
}

/* ---- cases ---- */

static const ms_attention_attributes table[] = {
    {1, 1, 1, 1, 1, 1.0f},       {1, 2, 2, 1, 2, 0.7f},      {2, 7, 2, 2, 3, 0.577f},     {1, 8, 1, 1, 32, 0.177f},
    {1, 9, 4, 2, 33, 0.174f},    {2, 33, 4, 1, 16, 0.25f},   {1, 65, 2, 1, 8, 0.3535f},   {3, 100, 3, 3, 20, 0.2236f},
    {1, 130, 4, 2, 64, 0.125f},  {1, 523, 2, 1, 5, 0.4472f}, {1, 1040, 2, 1, 3, 0.577f},  {1, 520, 1, 1, 64, 0.125f},
    {1, 524, 1, 1, 128, 0.088f}, {1, 70, 2, 1, 160, 0.079f}, {1, 19, 1, 1, 256, 0.0625f}, {1, 4100, 1, 1, 2, 0.7f},
};
/* In these a late key and its value, and in the gradient also an early query and its do, hold NaN and infinities: rows
   that do not see them must not know.  One sequence each; the head sizes for which there are kernels of their own. */
static const ms_attention_attributes hidden[] = {
    {1, 24, 2, 1, 64, 0.125f},
    {1, 20, 4, 2, 32, 0.177f},
    {1, 12, 1, 1, 128, 0.088f},
    {1, 21, 2, 1, 20, 0.2236f},
};
enum { N_PLAIN = sizeof table / sizeof *table, N_HIDDEN = sizeof hidden / sizeof *hidden };

/* Where a NaN is, no other is seen: the sums have one already, so no more are put in. */
static void hide_special(ms_op_case *test) {
    test->fill[1] = test->fill[2] = MS_CASE_LATE_NAN;
    if (test->op == MS_OP_ATTENTION_GRAD) test->fill[0] = test->fill[5] = MS_CASE_EARLY_NAN;
    test->skip_special = true;
    test->hidden_special = true;
    /* One kernel of its own and the general one; the others take drivers that compile on the processor a minute. */
    int32_t head_size = test->attributes.attention.head_size;
    test->in_quick = head_size == 64 || head_size == 20;
}

static bool make(ms_op op, int i, ms_op_case *out) {
    if (i >= N_PLAIN + N_HIDDEN) return false;
    const ms_attention_attributes *a = i < N_PLAIN ? &table[i] : &hidden[i - N_PLAIN];
    *out = ms_case_of(op);
    out->attributes.attention = *a;
    int64_t n = (int64_t)a->batch * a->sequence;
    ms_shape q = ms_shape_2(n, (int64_t)a->heads * a->head_size),
             k = ms_shape_2(n, (int64_t)a->kv_heads * a->head_size);
    ms_case_input(out, MS_DTYPE_F32, q, MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, k, MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, k, MS_CASE_SPARSE);
    if (op == MS_OP_ATTENTION_GRAD) {
        ms_case_input(out, MS_DTYPE_F32, q, MS_CASE_NORMAL);
        ms_case_input(out, MS_DTYPE_F32, ms_shape_2((int64_t)a->batch * a->heads, a->sequence), MS_CASE_POSITIVE);
        ms_case_input(out, MS_DTYPE_F32, q, MS_CASE_SPARSE);
    }
    out->magnitude = op == MS_OP_ATTENTION ? magnitude : grad_magnitude;
    out->matmul_error = op == MS_OP_ATTENTION ? matmul_error : grad_matmul_error;
    out->bound = 4;
    /* A native exp of x = s - m (or s - lse) adds 2 (3 + 2|x|) u, and |x| is at most twice what weight_error counts. */
    out->native = 10;
    out->skip_special = a->sequence > 500; /* scalar references would take seconds; the short cases cover them */
    if (i >= N_PLAIN) hide_special(out);
    return true;
}

bool ms_cases_attention(int i, ms_op_case *out) { return make(MS_OP_ATTENTION, i, out); }
bool ms_cases_attention_grad(int i, ms_op_case *out) { return make(MS_OP_ATTENTION_GRAD, i, out); }

/* ---- attention_logit_max ---- */

/* The largest error of a logit, in units of u: its product of D terms and the scale are D + 1 roundings in a row. */
static void logit_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    for (int64_t i_head = 0; i_head < (int64_t)a->batch * a->heads; i_head++) {
        head_view view = head_of(test, in, i_head);
        double *worst = &out[0][i_head % a->heads];
        for (int64_t i = 0; i < a->sequence; i++)
            for (int64_t j = 0; j <= i; j++) {
                double absolute = 0;
                for (int64_t c = 0; c < a->head_size; c++)
                    absolute += fabs((double)view.q[i * view.stride + c] * (double)view.k[j * view.kv_stride + c]);
                *worst = fmax(*worst, (a->head_size + 1) * absolute * (double)a->scale);
            }
    }
}

bool ms_cases_attention_logit_max(int i, ms_op_case *out) {
    if (i >= N_PLAIN) return false;
    const ms_attention_attributes *a = &table[i];
    int64_t n = (int64_t)a->batch * a->sequence;
    *out = ms_case_of(MS_OP_ATTENTION_LOGIT_MAX);
    out->attributes.attention = *a;
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(n, (int64_t)a->heads * a->head_size), MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(n, (int64_t)a->kv_heads * a->head_size), MS_CASE_NORMAL);
    out->magnitude = logit_magnitude;
    out->bound = 1;
    out->skip_special = a->sequence > 500;
    return true;
}

/* ---- cached_attention ---- */

static void cached_magnitude(const ms_op_case *test, const void *const *in, double *const *out) {
    const ms_attention_attributes *a = &test->attributes.attention;
    const int32_t *rows = in[3];
    int64_t d = a->head_size, stride = (int64_t)a->kv_heads * d;
    for (int64_t i = 0; i < test->shape[0].dim[0] * a->heads; i++) {
        int64_t row = rows[i / a->heads], kv_head = i % a->heads / (a->heads / a->kv_heads);
        if (row < 0 || row >= (int64_t)a->batch * a->sequence) continue;
        /* The query stands at the end of its keys, whichever of its rows is asked for. */
        head_view view = {.a = a, .q = (const float *)in[0] + i * d, .stride = 0, .kv_stride = stride};
        int64_t first = row - row % a->sequence;
        view.k = (const float *)in[1] + first * stride + kv_head * d;
        view.v = (const float *)in[2] + first * stride + kv_head * d;
        double unused = 0;
        row_magnitude(&view, row - first, out[0] + i * d, &unused);
    }
}

/* Queries, then the sizes of the caches.  In the last two a late row holds NaN and infinities: queries before it must
   not know. */
static const struct {
    int64_t n_queries;
    ms_attention_attributes a;
} cached[] = {
    {1, {1, 1, 1, 1, 1, 1.0f}},      {3, {2, 7, 2, 2, 3, 0.577f}},     {5, {1, 9, 4, 2, 33, 0.174f}},
    {7, {3, 33, 4, 1, 16, 0.25f}},   {8, {4, 65, 2, 1, 8, 0.3535f}},   {4, {1, 130, 4, 2, 64, 0.125f}},
    {4, {1, 1040, 2, 1, 3, 0.577f}}, {3, {2, 700, 2, 2, 128, 0.088f}}, {2, {1, 300, 3, 3, 160, 0.079f}},
    {3, {1, 4200, 1, 1, 2, 0.7f}},   {16, {1, 40, 4, 2, 64, 0.125f}},  {11, {1, 36, 2, 1, 20, 0.2236f}},
};
enum { N_CACHED = sizeof cached / sizeof *cached, N_CACHED_PLAIN = N_CACHED - 2 };

bool ms_cases_cached_attention(int i, ms_op_case *out) {
    if (i >= N_CACHED) return false;
    const ms_attention_attributes *a = &cached[i].a;
    int64_t n_rows = (int64_t)a->batch * a->sequence;
    ms_shape kv = ms_shape_2(n_rows, (int64_t)a->kv_heads * a->head_size);
    bool is_plain = i < N_CACHED_PLAIN;
    *out = ms_case_of(MS_OP_CACHED_ATTENTION);
    out->attributes.attention = *a;
    ms_case_input(out, MS_DTYPE_F32, ms_shape_2(cached[i].n_queries, (int64_t)a->heads * a->head_size), MS_CASE_NORMAL);
    ms_case_input(out, MS_DTYPE_F32, kv, is_plain ? MS_CASE_NORMAL : MS_CASE_LATE_NAN);
    ms_case_input(out, MS_DTYPE_F32, kv, is_plain ? MS_CASE_SPARSE : MS_CASE_LATE_NAN);
    ms_case_input(out, MS_DTYPE_I32, ms_shape_1(cached[i].n_queries), MS_CASE_NORMAL);
    out->low = i > 0 ? -1 : 0, out->high = (int32_t)n_rows + (i > 0);
    out->magnitude = cached_magnitude;
    out->bound = 4;
    out->native = 10;         /* as in attention */
    out->skip_special = true; /* a changed row need not be seen */
    out->hidden_special = !is_plain;
    out->in_quick = !is_plain;
    return true;
}
