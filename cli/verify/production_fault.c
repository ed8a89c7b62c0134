/* Faults that `muonscope verify --production --planted-fault` makes in results of `fast`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify/production_case.h"
#include "platform/bf16.h"

enum { TILE = 16, TERMS = 64 };

const char *ms_production_fault_text(ms_production_fault fault) {
    return fault == MS_PRODUCTION_FAULT_TILES ? "two tiles exchanged" : "a sum lacks one term";
}

/* ---- elements on the device ---- */

static ms_status read_input(const ms_production_case *c, int i, int64_t at, int64_t count, double *out) {
    uint32_t raw[256];
    for (int64_t begin = 0; begin < count; begin += 256) {
        int64_t n = count - begin < 256 ? count - begin : 256;
        MS_TRY(ms_store_download(c->fast.store, c->in[i], at + begin, n, raw));
        for (int64_t e = 0; e < n; e++) out[begin + e] = ms_production_element(c->shape->dtype[i], raw, e);
    }
    return MS_OK;
}

/* Adds to an element of an output. */
static ms_status add(const ms_production_case *c, int k, int64_t at, double change) {
    uint32_t raw = 0;
    ms_dtype dtype = c->shape->out[k].dtype;
    MS_TRY(ms_store_download(c->fast.store, c->out[k], at, 1, &raw));
    float value = (float)(ms_production_element(dtype, &raw, 0) + change);
    memcpy(&raw, &value, sizeof raw);
    if (dtype == MS_DTYPE_BF16) {
        uint16_t half = ms_bf16_from_f32(value);
        return ms_store_upload(c->fast.store, c->out[k], at, 1, &half);
    }
    return ms_store_upload(c->fast.store, c->out[k], at, 1, &raw);
}

/* ---- two tiles ---- */

static ms_status exchange_tiles(const ms_production_case *c) {
    int k = c->shape->op == MS_OP_CROSS_ENTROPY ? 1 : 0; /* losses have one column */
    const ms_tensor_info *info = &c->shape->out[k];
    ms_matrix_shape matrix = ms_shape_matrix(&info->shape);
    int64_t width = matrix.columns / 2 < TILE ? matrix.columns / 2 : TILE,
            rows = matrix.rows < TILE ? matrix.rows : TILE;
    size_t size = ms_dtype_size(info->dtype), half = (size_t)width * size;
    unsigned char strip[2 * TILE * sizeof(float)], turned[2 * TILE * sizeof(float)];
    for (int64_t r = 0; r < rows; r++) {
        int64_t at = (matrix.rows - rows + r) * matrix.columns;
        MS_TRY(ms_store_download(c->fast.store, c->out[k], at, 2 * width, strip));
        memcpy(turned, strip + half, half);
        memcpy(turned + half, strip, half);
        MS_TRY(ms_store_upload(c->fast.store, c->out[k], at, 2 * width, turned));
    }
    return MS_OK;
}

/* ---- one term ---- */

/* The largest of the first products of the element in the middle. */
static ms_status drop_product(const ms_production_case *c) {
    const ms_gemm *g = &c->bounds.gemm;
    int64_t i = g->left.n_rows / 2, j = g->right.n_rows / 3, depth = g->left.depth;
    double largest = 0;
    for (int64_t term = 0; term < depth && term < TERMS; term++) {
        double left, right;
        int64_t at_left = g->left.transposed ? term * g->left.n_rows + i : i * depth + term,
                at_right = g->right.transposed ? term * g->right.n_rows + j : j * depth + term;
        MS_TRY(read_input(c, 0, at_left, 1, &left));
        MS_TRY(read_input(c, g->symmetric ? 0 : 1, at_right, 1, &right));
        if (fabs(left * right) > fabs(largest)) largest = left * right;
    }
    return add(c, 0, i * g->right.n_rows + j, -(double)g->alpha * largest);
}

/* One query of the first head of the first sequence, and one of its keys. */
typedef struct query {
    const ms_production_case *c;
    int64_t row, size;                  /* position; D */
    double *q, *k, *v, *o, *d_o, *lost; /* [D]; o and do of the gradient alone; what the key adds to output 0 */
    double lse;
} query;

static ms_status read_query(query *of) {
    const ms_attention_attributes *a = &of->c->shape->attributes.attention;
    int64_t at = of->row * a->heads * of->size;
    MS_TRY(read_input(of->c, 0, at, of->size, of->q));
    if (of->c->shape->op == MS_OP_ATTENTION) {
        float raw;
        MS_TRY(ms_store_download(of->c->exact.store, of->c->out[1], of->row, 1, &raw));
        of->lse = (double)raw;
        return MS_OK;
    }
    MS_TRY(read_input(of->c, 3, at, of->size, of->o));
    MS_TRY(read_input(of->c, 4, of->row, 1, &of->lse));
    return read_input(of->c, 5, at, of->size, of->d_o);
}

/* What key j adds to the query's row of o, or of dq, keeping the larger in `lost`. */
static ms_status weigh_key(query *of, int64_t j, double *largest) {
    const ms_attention_attributes *a = &of->c->shape->attributes.attention;
    bool is_gradient = of->c->shape->op == MS_OP_ATTENTION_GRAD;
    double score = 0, dp = 0;
    MS_TRY(read_input(of->c, 1, j * a->kv_heads * of->size, of->size, of->k));
    MS_TRY(read_input(of->c, 2, j * a->kv_heads * of->size, of->size, of->v));
    for (int64_t e = 0; e < of->size; e++) {
        score += of->q[e] * of->k[e];
        if (is_gradient) dp += of->d_o[e] * (of->v[e] - of->o[e]);
    }
    double p = exp(score * (double)a->scale - of->lse), weight = is_gradient ? p * dp * (double)a->scale : p;
    if (fabs(weight) <= *largest) return MS_OK;
    *largest = fabs(weight);
    for (int64_t e = 0; e < of->size; e++) of->lost[e] = weight * (is_gradient ? of->k[e] : of->v[e]);
    return MS_OK;
}

/* Of the last keys of a query in the first quarter the one that adds most. */
static ms_status drop_key(query *of) {
    const ms_attention_attributes *a = &of->c->shape->attributes.attention;
    double largest = 0;
    of->row = a->sequence / 8;
    MS_TRY(read_query(of));
    for (int64_t j = of->row; j >= 0 && j > of->row - TERMS; j--) MS_TRY(weigh_key(of, j, &largest));
    for (int64_t e = 0; e < of->size; e++) MS_TRY(add(of->c, 0, of->row * a->heads * of->size + e, -of->lost[e]));
    return MS_OK;
}

static ms_status drop_key_of_head(const ms_production_case *c) {
    int64_t d = c->shape->attributes.attention.head_size;
    double *room = calloc((size_t)d * 6, sizeof *room);
    if (!room) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for a head");
    query of = {c, 0, d, room, room + d, room + 2 * d, room + 3 * d, room + 4 * d, room + 5 * d, 0};
    ms_status status = drop_key(&of);
    free(room);
    return status;
}

/* The loss of the row in the middle, whose softmax lacks its largest logit. */
static ms_status drop_logit(const ms_production_case *c) {
    int64_t rows = c->shape->shape[0].dim[0], columns = c->shape->shape[0].dim[1];
    double *x = malloc((size_t)columns * sizeof *x), most = -HUGE_VAL, sum = 0;
    if (!x) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %lld logits", (long long)columns);
    ms_status status = read_input(c, 0, rows / 2 * columns, columns, x);
    for (int64_t v = 0; status == MS_OK && v < columns; v++) most = fmax(most, x[v]);
    for (int64_t v = 0; status == MS_OK && v < columns; v++) sum += exp(x[v] - most);
    free(x);
    return status == MS_OK ? add(c, 0, rows / 2, log1p(-1 / sum)) : status;
}

ms_status ms_production_fault_make(const ms_production_case *c, ms_production_fault fault) {
    if (fault == MS_PRODUCTION_FAULT_TILES) return exchange_tiles(c);
    if (c->shape->op == MS_OP_CROSS_ENTROPY) return drop_logit(c);
    return c->shape->op == MS_OP_MATMUL || c->shape->op == MS_OP_GRAM ? drop_product(c) : drop_key_of_head(c);
}
