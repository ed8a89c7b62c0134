#include "cli/verify/production_inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/random.h"

static const double unit = 0x1p-24; /* relative error of a rounding to f32 */

/* ---- inputs ---- */

static bool is_product(ms_op op) { return op == MS_OP_MATMUL || op == MS_OP_GRAM; }

/* Uniform in [0, n). */
static int64_t below(uint64_t word, int64_t n) { return (int64_t)((word >> 32) * (uint64_t)n >> 32); }

/* The largest factor m. */
static int64_t most_factor(const ms_op_case *shape) {
    int64_t depth = ms_gemm_of(shape->op, &shape->attributes, &shape->shape[0], &shape->shape[1]).left.depth;
    int64_t most = (int64_t)sqrt(0x1p22 / (double)depth);
    return most > 255 ? 255 : most;
}

static double whole_attention(const ms_op_case *shape, int i, int64_t e, uint64_t word) {
    const ms_attention_attributes *a = &shape->attributes.attention;
    if (i >= 2) return 0.25 * (double)(below(word, 17) - 8); /* v, do */
    if (i == 1) return (double)below(word, 5);
    int64_t head = e / a->head_size % a->heads, group = head / (a->heads / a->kv_heads);
    return (group % 2 ? -0.5 : 0.5) * (double)below(word, 5);
}

/* A sum of four uniform numbers, of variance 1. */
static double normal(uint64_t word) {
    int64_t sum = (int64_t)((word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48));
    return (double)(sum - 131070) * (1.7320508075688772 / 65536);
}
static const double most_normal = 3.4642; /* 2 sqrt(3) */

static double number(const ms_production_inputs *inputs, int i, int64_t e, int64_t most, uint64_t word) {
    if (inputs->fill == MS_PRODUCTION_NORMAL) return normal(word);
    if (!is_product(inputs->shape->op)) return whole_attention(inputs->shape, i, e, word);
    return i == 2 ? 4096.0 * (double)(below(word, 255) - 127) : (double)(below(word, 2 * most + 1) - most);
}

void ms_production_input(const ms_production_inputs *inputs, int i, int64_t begin, int64_t count, void *out) {
    const ms_op_case *shape = inputs->shape;
    ms_dtype dtype = shape->dtype[i];
    size_t size = ms_dtype_size(dtype);
    if (inputs->given[i]) {
        memcpy(out, (const char *)inputs->given[i] + (size_t)begin * size, (size_t)count * size);
        return;
    }
    uint64_t state = inputs->seed + 0x10001u * (uint64_t)i + 0x100000007u * (uint64_t)(begin / MS_PRODUCTION_SLAB);
    int64_t most = is_product(shape->op) ? most_factor(shape) : 0, range = shape->shape[0].dim[1]; /* targets */
    for (int64_t e = 0; e < count; e++) {
        uint64_t word = ms_split_mix(&state);
        if (dtype == MS_DTYPE_I32) {
            ((int32_t *)out)[e] = (int32_t)below(word, range);
            continue;
        }
        float value = (float)number(inputs, i, begin + e, most, word);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (dtype == MS_DTYPE_BF16)
            ((uint16_t *)out)[e] = (uint16_t)(bits >> 16); /* nothing is lost of whole numbers */
        else
            ((float *)out)[e] = value;
    }
}

double ms_production_element(ms_dtype dtype, const void *data, int64_t i) {
    if (dtype != MS_DTYPE_BF16) return (double)((const float *)data)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* ---- lengths of rows ---- */

ms_status ms_production_bounds_init(const ms_production_inputs *inputs, const ms_matmul_rounding *rounding,
                                    ms_production_bounds *out) {
    const ms_op_case *shape = inputs->shape;
    memset(out, 0, sizeof *out);
    out->inputs = inputs;
    out->rounding = *rounding;
    int n = 0;
    if (is_product(shape->op)) {
        out->gemm = ms_gemm_of(shape->op, &shape->attributes, &shape->shape[0], &shape->shape[1]);
        n = shape->op == MS_OP_GRAM ? 1 : 2;
    } else if (shape->op != MS_OP_CROSS_ENTROPY) {
        n = 2;
    }
    for (int i = 0; i < n; i++) {
        int64_t count = ms_shape_count(&shape->shape[i]);
        int64_t depth = is_product(shape->op) ? out->gemm.left.depth : shape->attributes.attention.head_size;
        out->n_norms[i] = count / depth;
        out->norms[i] = calloc((size_t)out->n_norms[i], sizeof(double));
        if (out->norms[i]) continue;
        ms_production_bounds_finish(out);
        return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %lld rows", (long long)(count / depth));
    }
    return MS_OK;
}

void ms_production_bounds_finish(ms_production_bounds *bounds) {
    free(bounds->norms[0]);
    free(bounds->norms[1]);
    memset(bounds, 0, sizeof *bounds);
}

/* Which row element e of an input belongs to. */
static int64_t row_of(const ms_production_bounds *bounds, int i, int64_t e) {
    const ms_op_case *shape = bounds->inputs->shape;
    if (!is_product(shape->op)) return e / shape->attributes.attention.head_size;
    const ms_factor *factor = i == 0 ? &bounds->gemm.left : &bounds->gemm.right;
    if (!factor->transposed) return e / factor->depth;
    return e / (factor->n_rows * factor->depth) * factor->n_rows + e % factor->n_rows;
}

void ms_production_bounds_see(ms_production_bounds *bounds, int i, int64_t begin, int64_t count, const void *data) {
    if (i > 1 || !bounds->norms[i]) return;
    for (int64_t e = 0; e < count; e++) {
        double value = ms_production_element(bounds->inputs->shape->dtype[i], data, e);
        bounds->norms[i][row_of(bounds, i, begin + e)] += value * value;
    }
}

void ms_production_bounds_close(ms_production_bounds *bounds) {
    double most[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (int64_t r = 0; r < bounds->n_norms[i]; r++) {
            bounds->norms[i][r] = sqrt(bounds->norms[i][r]);
            most[i] = fmax(most[i], bounds->norms[i][r]);
        }
    bounds->most_score = most[0] * most[1] * fabs((double)bounds->inputs->shape->attributes.attention.scale);
}

/* ---- bounds ---- */

/* bf16 factors are read as they are. */
static double factor_error(const ms_production_bounds *bounds, int i) {
    return bounds->inputs->shape->dtype[i] == MS_DTYPE_BF16 ? 0 : bounds->rounding.factor;
}

/* |A||B| of an element is at most the product of its rows' lengths p (Cauchy, Schwarz).
   WHOLE: sums and products are exact, so alpha 1 and beta 0 or 1 leave nothing to round, and the bound is 0.  Else
   alpha times the sum of each block of terms (at least 256) and beta times c are rounded and added: on either side two
   roundings a block and two more.
   NORMAL: 4 sqrt(K) u |A||B| on either side for the order of the sum (Higham & Mary 2019, as in backend/cases), and
   what the device's matmuls add. */
static double product_bound(const ms_production_bounds *bounds, const ms_production_result *result) {
    const ms_gemm *g = &bounds->gemm;
    int64_t m = g->left.n_rows, n = g->right.n_rows, depth = g->left.depth;
    int64_t batch = result->index / (m * n), i = result->index / n % m, j = result->index % n;
    const double *right_norms = g->symmetric ? bounds->norms[0] : bounds->norms[1];
    double left = bounds->norms[0][(g->left.shared ? 0 : batch * m) + i],
           right = right_norms[(g->right.shared ? 0 : batch * n) + j];
    double alpha = fabs((double)g->alpha), p = alpha * left * right, c = fabs((double)g->beta * result->added);
    if (bounds->inputs->fill == MS_PRODUCTION_WHOLE) {
        bool whole = alpha == 1 && (result->added == 0 || fabs((double)g->beta) == 1 || g->beta == 0);
        return whole ? 0 : 2 * (2 * ceil((double)depth / 256) + 2) * unit * (p + c);
    }
    int right_input = g->symmetric ? 0 : 1;
    double growth =
        ms_case_matmul_growth(&bounds->rounding, factor_error(bounds, 0), factor_error(bounds, right_input), depth);
    return (8 * sqrt((double)depth) * unit + growth) * p + 8 * unit * c;
}

/* Scores are exact but for the scale's rounding, so a weight p = exp(s - lse) is off by the roundings of s and lse, by
   the exponential's own error, (3 + 2|x|) u where it is the device's, and sums of up to T terms; 4 (exact), 4 and 10
   (fast: its order, its exponential) times that, as in backend/cases.  Then a weight is rounded when it is multiplied
   and the sum of n products cut off. */
static double attention_bound(const ms_production_bounds *bounds, const ms_production_result *result) {
    const ms_op_case *shape = bounds->inputs->shape;
    const ms_attention_attributes *a = &shape->attributes.attention;
    bool is_gradient = shape->op == MS_OP_ATTENTION_GRAD;
    double tokens = (double)a->sequence, most_lse = bounds->most_score + log(tokens);
    double weight = 18 * unit * (2 * bounds->most_score + most_lse + sqrt(tokens) + 4);
    if (!is_gradient && result->output == 1) return weight;
    if (is_gradient) weight += 18 * unit * sqrt((double)a->head_size); /* do v - do o */
    int64_t heads = is_gradient && result->output > 0 ? a->kv_heads : a->heads;
    int64_t position = result->index / (heads * a->head_size) % a->sequence, n = position + 1;
    if (is_gradient && result->output > 0) n = (a->sequence - position) * (a->heads / a->kv_heads);
    bool is_bf16 = shape->dtype[0] == MS_DTYPE_BF16;
    double rounded = is_bf16 ? bounds->rounding.attention_weight : bounds->rounding.attention_factor;
    double growth = ms_case_matmul_growth(&bounds->rounding, rounded, 0, n);
    double magnitude = result->magnitude * (is_bf16 ? 1 + 0x1p-7 : 1 + 0x1p-16); /* it is rounded itself */
    return ((1 + weight) * (1 + growth) - 1) * magnitude;
}

/* x - m is off by a rounding of its range, exp by 2.1 u (exact) or 3 + 2|x - m| (fast, its own), their sum by its
   depth; that is the relative error of the sum and the absolute one of its logarithm.  The logarithm is off by 3 u of
   itself, and two sums of m, it and the target's logit are rounded.  dlogits: p takes the error of exp twice, with that
   of the sum, and a division; p - 1 that of p. */
static double cross_entropy_bound(const ms_production_bounds *bounds, const ms_production_result *result) {
    const ms_op_case *shape = bounds->inputs->shape;
    double columns = (double)shape->shape[0].dim[1], range = 2 * most_normal, logarithm = log(columns) + range;
    double exact = ms_case_depth((int64_t)columns) + range + 2.1, fast = exact - 2.1 + 3 + 2 * range;
    if (result->output == 0) return unit * (exact + fast + 2 * 3 * logarithm + 2 * 2 * (logarithm + 2 * most_normal));
    double roundings = (exact + range + 2.1 + 4) + (fast + range + 3 + 2 * range + 2.5 + 4);
    double magnitude = fabs(result->exact);
    if (result->exact < 0) magnitude += 2 * fabs((double)shape->attributes.cross_entropy.scale);
    return roundings * unit * magnitude;
}

double ms_production_bound(const ms_production_bounds *bounds, const ms_production_result *result) {
    const ms_op_case *shape = bounds->inputs->shape;
    double bound = is_product(shape->op)              ? product_bound(bounds, result)
                   : shape->op == MS_OP_CROSS_ENTROPY ? cross_entropy_bound(bounds, result)
                                                      : attention_bound(bounds, result);
    /* Equal numbers are rounded to equal ones, others once each: 2^-8 of both. */
    if (shape->out[result->output].dtype == MS_DTYPE_BF16 && bound > 0)
        bound = bound * (1 + 0x1p-7) + 0x1p-7 * (1 + 0x1p-7) * fabs(result->exact);
    return bound > 0 ? bound + 0x1p-100 : 0; /* what is smaller is 0 on some devices */
}
