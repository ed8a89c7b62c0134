/* cached_attention: attention of single queries over key/value caches.  q and o [N, H*D]; k and v [B*T, G*D]: B caches
   of T rows; rows i32 [N].  Query n has the place of row r = rows[n] of the caches and sees the keys of its own cache
   up to that one: rows r - r % T to r.  Where r is outside of [0, B*T) the query is of no text, and its o is 0.

   The sums and their order are those of attention.c, so in `exact` o has the bits that attention gives the same query
   among all queries of its text.  Later rows of a cache are part of no sum, whatever they hold.

   One task has one query's heads of one key/value head: each panel of keys is packed once for all of them. */
#include "backend/cpu/attention_softmax.h"
#include "backend/cpu/attention_tile.h"

typedef struct cached_job {
    const ms_attention_attributes *a;
    const real *q, *k, *v;
    const int32_t *rows;
    real *o;
    int64_t scores_stride; /* T in whole panels */
    char *workspace;
    size_t scratch_bytes;
} cached_job;

typedef struct cached_scratch {
    real *keys;   /* one panel [D][TILE_COLUMNS] */
    real *scores; /* [heads of the group][scores_stride] */
} cached_scratch;

/* Lays the scratch out at base (NULL: only its size) and returns its bytes. */
static size_t lay_out(const cached_job *job, real *base, cached_scratch *out) {
    int64_t at = 0, group = job->a->heads / job->a->kv_heads;
    out->keys = attention_take(base, &at, (int64_t)job->a->head_size * TILE_COLUMNS + LANES);
    out->scores = attention_take(base, &at, group * job->scores_stride);
    return (size_t)ms_round_up64(at * (int64_t)sizeof(real), 64);
}

static cached_job prepare(const ms_cpu_call *call) {
    cached_job job = {
        .a = &call->attributes->attention,
        .q = call->in[0].data,
        .k = call->in[1].data,
        .v = call->in[2].data,
        .rows = call->in[3].data,
        .o = call->out[0].data,
        .scores_stride = ms_round_up64(call->attributes->attention.sequence, TILE_COLUMNS),
        .workspace = call->workspace,
    };
    cached_scratch unused;
    job.scratch_bytes = lay_out(&job, NULL, &unused);
    return job;
}

/* Scaled scores of one head's query with a panel of keys. */
static inline void score_panel(const real *q, const real *keys, int64_t d, real scale, real *scores) {
    vec sum0 = q[0] * vec_load(keys), sum1 = q[0] * vec_load(keys + LANES);
    for (int64_t c = 1; c < d; c++) {
        keys += TILE_COLUMNS;
        sum0 = sum0 + q[c] * vec_load(keys);
        sum1 = sum1 + q[c] * vec_load(keys + LANES);
    }
    vec_store(scores, sum0 * scale);
    vec_store(scores + LANES, sum1 * scale);
}

/* o of `width` numbers of a head, a constant: 2 or 1 vectors. */
ATTENTION_INLINE void weigh_vectors(const int width, const real *weights, int64_t n, attention_head v, real inverse,
                                    real *o) {
    vec total[2], sum[2];
    for (int64_t begin = 0; begin < n; begin += MS_DEPTH_CHUNK) {
        const real *row = v.data + begin * v.stride;
        int64_t end = ms_min64(begin + MS_DEPTH_CHUNK, n);
        for (int i = 0; i < width; i++) sum[i] = weights[begin] * vec_load(row + i * LANES);
        for (int64_t j = begin + 1; j < end; j++) {
            row += v.stride;
            for (int i = 0; i < width; i++) sum[i] = sum[i] + weights[j] * vec_load(row + i * LANES);
        }
        for (int i = 0; i < width; i++) total[i] = begin > 0 ? total[i] + sum[i] : sum[i];
    }
    for (int i = 0; i < width; i++) vec_store(o + i * LANES, total[i] * inverse);
}

static void weigh_number(const real *weights, int64_t n, attention_head v, real inverse, real *o) {
    real total = 0;
    for (int64_t begin = 0; begin < n; begin += MS_DEPTH_CHUNK) {
        int64_t end = ms_min64(begin + MS_DEPTH_CHUNK, n);
        real sum = weights[begin] * v.data[begin * v.stride];
        for (int64_t j = begin + 1; j < end; j++) sum = sum + weights[j] * v.data[j * v.stride];
        total = begin > 0 ? total + sum : sum;
    }
    *o = total * inverse;
}

/* o [D] of one head: its weights times the values of n rows. */
static void weigh_values(const real *weights, int64_t n, attention_head v, int64_t d, real inverse, real *o) {
    int64_t c = 0;
    for (; c + 2 * LANES <= d; c += 2 * LANES)
        weigh_vectors(2, weights, n, (attention_head){v.data + c, v.stride}, inverse, o + c);
    for (; c + LANES <= d; c += LANES)
        weigh_vectors(1, weights, n, (attention_head){v.data + c, v.stride}, inverse, o + c);
    for (; c < d; c++) weigh_number(weights, n, (attention_head){v.data + c, v.stride}, inverse, o + c);
}

static void cached_task(void *context, int64_t i_task, int i_thread) {
    const cached_job *job = context;
    const ms_attention_attributes *a = job->a;
    int64_t i_query = i_task / a->kv_heads, i_kv = i_task % a->kv_heads, d = a->head_size;
    int64_t group = a->heads / a->kv_heads, at = (i_query * a->heads + i_kv * group) * d;
    int64_t row = job->rows[i_query], stride = (int64_t)a->kv_heads * d;
    if (row < 0 || row >= (int64_t)a->batch * a->sequence) {
        memset(job->o + at, 0, (size_t)(group * d) * sizeof(real));
        return;
    }
    int64_t n = row % a->sequence + 1, first = (row - n + 1) * stride + i_kv * d;
    cached_scratch scratch;
    lay_out(job, (real *)(job->workspace + (size_t)i_thread * job->scratch_bytes), &scratch);
    for (int64_t j = 0; j < n; j += TILE_COLUMNS) {
        attention_pack((attention_head){job->k + first, stride}, j, ms_min64(TILE_COLUMNS, n - j), d, TILE_COLUMNS,
                       scratch.keys);
        for (int64_t h = 0; h < group; h++)
            score_panel(job->q + at + h * d, scratch.keys, d, (real)a->scale,
                        scratch.scores + h * job->scores_stride + j);
    }
    for (int64_t h = 0; h < group; h++) {
        real *weights = scratch.scores + h * job->scores_stride, max;
        real inverse = ms_reciprocal(attention_softmax_row(weights, n, &max));
        weigh_values(weights, n, (attention_head){job->v + first, stride}, d, inverse, job->o + at + h * d);
    }
}

size_t MS_WORKSPACE(cached_attention)(const ms_cpu_call *call) {
    return (size_t)ms_pool_size(call->pool) * prepare(call).scratch_bytes;
}

ms_status MS_KERNEL(cached_attention)(const ms_cpu_call *call) {
    cached_job job = prepare(call);
    if (!job.o) return MS_OK;
    ms_pool_run(call->pool, call->in[0].shape.dim[0] * job.a->kv_heads, cached_task, &job);
    return MS_OK;
}
