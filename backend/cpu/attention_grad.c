/* Gradient of causal attention.  Inputs q [N, H*D], k, v [N, G*D], o [N, H*D], lse [B*H, T], do [N, H*D]; outputs dq,
   dk, dv.

   exact: s_ij and the scale as in attention.c, and for j <= i:

     p_ij    = exp(s_ij - lse_i)
     delta_i = sum over d of do_id * o_id, by the reduction rule
     dp_ij   = sum over d of do_id * v_jd, d ascending
     ds_ij   = p_ij * (dp_ij - delta_i)
     dv_j    = sum over i of p_ij * do_i
     dk_j    = (sum over i of ds_ij * q_i) * scale
     dq_i    = (sum over j of ds_ij * k_j) * scale

   Sums over i and j ascend in chunks of 512 (i or j in [512 c, 512 c + 512)).  Each chunk's sum starts from its first
   visible term; the sums of chunks are added ascending.  Then dv and dk (before the scale) are summed over the heads of
   a group, ascending.

   One task has one key/value head of one sequence with all its query heads.  It goes over tiles of KEY_TILE keys by
   chunks of 512 queries with p and ds transposed ([key][query], lanes are queries), so that each product p, dv, dp, dk,
   dq is made once: ten FLOPs per visible pair and d.  dq is kept per head, its chunk sums growing as the key tiles
   ascend. */
#include "backend/cpu/attention_tile.h"

#include "backend/cpu/reduce.h"
#include "backend/exact.h"

enum { KEY_TILE = 64, PROBABILITY_STRIDE = MS_DEPTH_CHUNK + 16 };

typedef struct grad_job {
    const ms_attention_attributes *a;
    const real *q, *k, *v, *o, *lse, *d_o;
    real *dq, *dk, *dv;
    int64_t padded; /* D rounded up to TILE_COLUMNS */
    char *workspace;
    size_t scratch_bytes;
} grad_job;

typedef struct grad_scratch {
    real *q_panels, *do_panels; /* [ceil(T / TILE_COLUMNS)][D][TILE_COLUMNS] */
    real *q_rows, *do_rows;     /* [T][padded] */
    real *dq_sum, *dq_total;    /* [T][padded]: the current chunk, and the chunks before */
    real *delta;                /* [T rounded up] */
    real *lse;                  /* [T rounded up] */
    real *k_panels, *v_panels;  /* [KEY_TILE / ATTENTION_ROWS][D][ATTENTION_ROWS] */
    real *k_rows;               /* [KEY_TILE][padded] */
    real *dk, *dv;              /* [KEY_TILE][padded] */
    real *probabilities;        /* [KEY_TILE][PROBABILITY_STRIDE]: p, then ds */
} grad_scratch;

/* Where one task stands. */
typedef struct grad_place {
    const grad_job *job;
    grad_scratch s;
    int64_t head_size, padded, sequence;
    int64_t key, n_keys;      /* tile of keys */
    int64_t query, query_end; /* part of a chunk of queries; query is a multiple of KEY_TILE */
} grad_place;

/* Lays the scratch out at base (NULL: only its size) and returns its bytes. */
static size_t lay_out(const grad_job *job, real *base, grad_scratch *s) {
    int64_t n = ms_round_up64(job->a->sequence, TILE_COLUMNS), d = job->a->head_size, at = 0;
    s->q_panels = attention_take(base, &at, n * d + LANES);
    s->do_panels = attention_take(base, &at, n * d + LANES);
    s->q_rows = attention_take(base, &at, n * job->padded);
    s->do_rows = attention_take(base, &at, n * job->padded);
    s->dq_sum = attention_take(base, &at, n * job->padded);
    s->dq_total = attention_take(base, &at, n * job->padded);
    s->delta = attention_take(base, &at, n);
    s->lse = attention_take(base, &at, n);
    s->k_panels = attention_take(base, &at, KEY_TILE * d + LANES);
    s->v_panels = attention_take(base, &at, KEY_TILE * d + LANES);
    s->k_rows = attention_take(base, &at, KEY_TILE * job->padded);
    s->dk = attention_take(base, &at, KEY_TILE * job->padded);
    s->dv = attention_take(base, &at, KEY_TILE * job->padded);
    s->probabilities = attention_take(base, &at, KEY_TILE * PROBABILITY_STRIDE);
    return (size_t)ms_round_up64(at * (int64_t)sizeof(real), 64);
}

static grad_job prepare(const ms_cpu_call *call) {
    grad_job job = {
        .a = &call->attributes->attention,
        .q = call->in[0].data,
        .k = call->in[1].data,
        .v = call->in[2].data,
        .o = call->in[3].data,
        .lse = call->in[4].data,
        .d_o = call->in[5].data,
        .dq = call->out[0].data,
        .dk = call->out[1].data,
        .dv = call->out[2].data,
        .padded = ms_round_up64(call->attributes->attention.head_size, TILE_COLUMNS),
        .workspace = call->workspace,
    };
    grad_scratch unused;
    job.scratch_bytes = lay_out(&job, NULL, &unused);
    return job;
}

typedef struct product_terms {
    const real *a, *b;
} product_terms;

static real dot_block(const void *context, int64_t begin, int64_t n) {
    const product_terms *terms = context;
    return ms_block_dot(terms->a + begin, terms->b + begin, n);
}

/* p of the tile's keys and queries, unmasked: what lies before the diagonal is part of no sum. */
static void compute_probabilities(const grad_place *at) {
    int64_t d = at->head_size, n_all = ms_round_up64(at->query_end - at->query, TILE_COLUMNS);
    for (int64_t i = 0; i < n_all; i += TILE_COLUMNS) {
        for (int64_t r = 0; r < at->n_keys; r += ATTENTION_ROWS) {
            attention_sums sum;
            attention_rows keys = {at->s.k_panels + r * d, 1, ATTENTION_ROWS};
            attention_columns queries = {at->s.q_panels + (at->query + i) * d, TILE_COLUMNS};
            attention_terms(sum, keys, queries, 0, d, true);
            attention_store(sum, at->s.probabilities + r * PROBABILITY_STRIDE + i, PROBABILITY_STRIDE);
        }
    }
    real scale = (real)at->job->a->scale;
    const real *lse = at->s.lse + at->query;
    for (int64_t r = 0; r < at->n_keys; r++) {
        real *row = at->s.probabilities + r * PROBABILITY_STRIDE;
        for (int64_t i = 0; i < n_all; i += TILE_COLUMNS)
            for (int l = 0; l < TILE_COLUMNS; l++) row[i + l] = ms_exp(row[i + l] * scale - lse[i + l]);
    }
}

/* p becomes ds = p * (dp - delta). */
static void compute_score_gradients(const grad_place *at) {
    int64_t d = at->head_size, n = at->query_end - at->query;
    for (int64_t i = 0; i < n; i += TILE_COLUMNS) {
        const real *delta = at->s.delta + at->query + i;
        for (int64_t r = 0; r < at->n_keys; r += ATTENTION_ROWS) {
            attention_sums sum;
            attention_rows values = {at->s.v_panels + r * d, 1, ATTENTION_ROWS};
            attention_columns d_output = {at->s.do_panels + (at->query + i) * d, TILE_COLUMNS};
            attention_terms(sum, values, d_output, 0, d, true);
            for (int t = 0; t < ATTENTION_ROWS; t++) {
                for (int half = 0; half < 2; half++) {
                    real *p = at->s.probabilities + (r + t) * PROBABILITY_STRIDE + i + half * LANES;
                    vec_store(p, vec_load(p) * (sum[t][half] - vec_load(delta + half * LANES)));
                }
            }
        }
    }
}

/* out [KEY_TILE][padded] (+)= probabilities (or score gradients) times rows [T][padded] over this part's queries i >=
   j. */
static void sum_over_queries(const grad_place *at, const real *rows, bool first_chunk, real *out) {
    int64_t n = at->query_end - at->query, step = at->padded;
    for (int64_t r = 0; r < at->n_keys; r += ATTENTION_ROWS) {
        int64_t diagonal =
            at->key + r - at->query; /* the tile's first key among the part's queries, negative: before them */
        attention_rows weights = {at->s.probabilities + r * PROBABILITY_STRIDE, PROBABILITY_STRIDE, 1};
        for (int64_t column = 0; column < step; column += TILE_COLUMNS) {
            attention_columns terms = {rows + at->query * step + column, step};
            attention_sums sum;
            if (diagonal >= 0) {
                attention_ragged_begin(sum, weights, terms, diagonal, n);
                attention_terms(sum, weights, terms, diagonal + ATTENTION_ROWS, n, false);
            } else {
                attention_terms(sum, weights, terms, 0, n, true);
            }
            attention_accumulate(sum, out + r * step + column, step, !first_chunk);
        }
    }
}

/* dq_sum of this part's queries += score gradients times keys of the tile, j <= i. */
static void sum_over_keys(const grad_place *at) {
    bool start = at->key % MS_DEPTH_CHUNK == 0;
    int64_t step = at->padded;
    for (int64_t i = at->query; i < at->query_end; i += ATTENTION_ROWS) {
        int64_t diagonal = i - at->key; /* the tile's first query among the tile's keys */
        attention_rows weights = {at->s.probabilities + i - at->query, 1, PROBABILITY_STRIDE};
        for (int64_t column = 0; column < step; column += TILE_COLUMNS) {
            attention_columns terms = {at->s.k_rows + column, step};
            real *dq = at->s.dq_sum + i * step + column;
            attention_sums sum;
            if (!start) attention_load(sum, dq, step);
            attention_terms(sum, weights, terms, 0, ms_min64(at->n_keys, diagonal + 1), start);
            if (diagonal < at->n_keys) attention_ragged_end(sum, weights, terms, diagonal, at->n_keys);
            attention_store(sum, dq, step);
        }
    }
}

/* A new chunk of keys begins at `key`: the sums of the chunk before join the totals of the queries that go on. */
static void close_key_chunk(const grad_place *at, int64_t key) {
    int64_t n = (at->sequence - key) * at->padded;
    real *total = at->s.dq_total + key * at->padded;
    const real *sum = at->s.dq_sum + key * at->padded;
    if (key == MS_DEPTH_CHUNK) {
        memcpy(total, sum, (size_t)n * sizeof *total);
    } else {
        for (int64_t i = 0; i < n; i++) total[i] = total[i] + sum[i];
    }
}

/* Packs what all key tiles of a head need. */
static void begin_head(const grad_place *at, const real *q, const real *o, const real *d_o, const real *lse) {
    const grad_job *job = at->job;
    int64_t stride = (int64_t)job->a->heads * at->head_size, n = at->sequence, d = at->head_size;
    attention_pack((attention_head){q, stride}, 0, n, d, TILE_COLUMNS, at->s.q_panels);
    attention_pack((attention_head){d_o, stride}, 0, n, d, TILE_COLUMNS, at->s.do_panels);
    attention_copy_rows((attention_head){q, stride}, n, d, at->padded, at->s.q_rows);
    attention_copy_rows((attention_head){d_o, stride}, n, d, at->padded, at->s.do_rows);
    for (int64_t i = 0; i < n; i++) {
        product_terms terms = {d_o + i * stride, o + i * stride};
        at->s.delta[i] = ms_reduce_from(dot_block, &terms, 0, d);
    }
    memcpy(at->s.lse, lse, (size_t)n * sizeof *lse);
    for (int64_t i = n; i < ms_round_up64(n, TILE_COLUMNS); i++) at->s.delta[i] = at->s.lse[i] = 0;
}

/* dq = (total + last chunk) * scale. */
static void end_head(const grad_place *at, real *dq) {
    int64_t stride = (int64_t)at->job->a->heads * at->head_size;
    real scale = (real)at->job->a->scale;
    for (int64_t i = 0; i < at->sequence; i++) {
        const real *sum = at->s.dq_sum + i * at->padded, *total = at->s.dq_total + i * at->padded;
        real *out = dq + i * stride;
        for (int64_t c = 0; c < at->head_size; c++) out[c] = (i < MS_DEPTH_CHUNK ? sum[c] : total[c] + sum[c]) * scale;
    }
}

/* Adds a head's block sums to the output, [n_keys] rows; the last head of the group applies `scale` (1: none). */
static void add_head(const grad_place *at, const real *sum, bool first_head, bool last_head, real scale, real *out) {
    int64_t stride = (int64_t)at->job->a->kv_heads * at->head_size;
    for (int64_t r = 0; r < at->n_keys; r++) {
        for (int64_t c = 0; c < at->head_size; c++) {
            real value = sum[r * at->padded + c];
            if (!first_head) value = out[r * stride + c] + value;
            out[r * stride + c] = last_head ? value * scale : value;
        }
    }
}

/* One tile of keys against all queries that see any of them. k, v: row 0 of the key/value head in its sequence. */
static void key_tile(grad_place *at, const real *k, const real *v) {
    int64_t stride = (int64_t)at->job->a->kv_heads * at->head_size, d = at->head_size;
    attention_pack((attention_head){k, stride}, at->key, at->n_keys, d, ATTENTION_ROWS, at->s.k_panels);
    attention_pack((attention_head){v, stride}, at->key, at->n_keys, d, ATTENTION_ROWS, at->s.v_panels);
    attention_copy_rows((attention_head){k + at->key * stride, stride}, at->n_keys, d, at->padded, at->s.k_rows);
    for (at->query = at->key; at->query < at->sequence; at->query = at->query_end) {
        at->query_end = ms_min64(at->query / MS_DEPTH_CHUNK * MS_DEPTH_CHUNK + MS_DEPTH_CHUNK, at->sequence);
        bool first_chunk = at->query == at->key;
        compute_probabilities(at);
        sum_over_queries(at, at->s.do_rows, first_chunk, at->s.dv);
        compute_score_gradients(at);
        sum_over_queries(at, at->s.q_rows, first_chunk, at->s.dk);
        sum_over_keys(at);
    }
}

static void grad_task(void *context, int64_t i_task, int i_thread) {
    const grad_job *job = context;
    const ms_attention_attributes *a = job->a;
    int64_t i_batch = i_task / a->kv_heads, i_kv = i_task % a->kv_heads, group = a->heads / a->kv_heads;
    int64_t d = a->head_size, row0 = i_batch * a->sequence, kv_stride = (int64_t)a->kv_heads * d;
    int64_t kv_at = row0 * kv_stride + i_kv * d;
    grad_place at = {.job = job, .head_size = d, .padded = job->padded, .sequence = a->sequence};
    lay_out(job, (real *)(job->workspace + (size_t)i_thread * job->scratch_bytes), &at.s);
    for (int64_t h = 0; h < group; h++) {
        int64_t head = i_kv * group + h, q_at = row0 * a->heads * d + head * d;
        bool first = h == 0, last = h == group - 1;
        begin_head(&at, job->q + q_at, job->o + q_at, job->d_o + q_at,
                   job->lse + (i_batch * a->heads + head) * a->sequence);
        for (at.key = 0; at.key < a->sequence; at.key += KEY_TILE) {
            at.n_keys = ms_min64(KEY_TILE, a->sequence - at.key);
            if (at.key > 0 && at.key % MS_DEPTH_CHUNK == 0) close_key_chunk(&at, at.key);
            key_tile(&at, job->k + kv_at, job->v + kv_at);
            int64_t out = kv_at + at.key * kv_stride;
            if (job->dk) add_head(&at, at.s.dk, first, last, (real)a->scale, job->dk + out);
            if (job->dv) add_head(&at, at.s.dv, first, last, 1, job->dv + out);
        }
        if (job->dq) end_head(&at, job->dq + q_at);
    }
}

size_t MS_WORKSPACE(attention_grad)(const ms_cpu_call *call) {
    return (size_t)ms_pool_size(call->pool) * prepare(call).scratch_bytes;
}

ms_status MS_KERNEL(attention_grad)(const ms_cpu_call *call) {
    grad_job job = prepare(call);
    ms_pool_run(call->pool, (int64_t)job.a->batch * job.a->kv_heads, grad_task, &job);
    return MS_OK;
}
