/* Causal softmax attention with grouped key/value heads.  q [N, H*D], k and v [N, G*D], N = B*T; o [N, H*D], lse [B*H,
   T]. Head h reads key/value head h / (H/G).

   exact, for query i of a head: s_j = (sum over d ascending of q_id * k_jd) * scale for j <= i; m = maximum of s_j;
   p_j = exp(s_j - m); l = sum of p_j by the reduction rule (reduce.h); o_id = (sum over j ascending in chunks of 512 of
   p_j * v_jd) * reciprocal(l); lse = m + log(l).  Later keys are part of no sum: infinities and NaN in them and their
   values change nothing, in `fast` neither.  The same holds in attention_grad.c.  (Fast attention on tensor cores,
   CUDA, multiplies later keys by weights of 0; there they turn earlier rows of the same tile into NaN.)

   One task has one key/value head and TASK_QUERIES queries of all its query heads: keys are packed once for all of
   them.  The scores of TILE_QUERIES queries exist at a time.  A query is computed whole by one task, so in `exact`
   nothing depends on blocking or threads; `fast` is the same text with products contracted to FMA. */
#include "backend/cpu/attention_softmax.h"
#include "backend/cpu/attention_tile.h"

enum { TASK_QUERIES = 256, TILE_QUERIES = 32 };

typedef struct attention_job {
    const ms_attention_attributes *a;
    const real *q, *k, *v;
    real *o, *lse;
    int64_t head_padded;   /* D rounded up to TILE_COLUMNS */
    int64_t scores_stride; /* T rounded up, and off a multiple of the page */
    int64_t n_parts;       /* of queries, per key/value head */
    char *workspace;
    size_t scratch_bytes;
} attention_job;

typedef struct attention_scratch {
    real *keys;    /* panels [ceil(T / TILE_COLUMNS)][D][TILE_COLUMNS] */
    real *values;  /* [T][head_padded] */
    real *queries; /* panels [TILE_QUERIES / ATTENTION_ROWS][D][ATTENTION_ROWS] */
    real *scores;  /* [TILE_QUERIES][scores_stride] */
} attention_scratch;

/* Lays the scratch out at base (NULL: only its size) and returns its bytes. */
static size_t lay_out(const attention_job *job, real *base, attention_scratch *out) {
    int64_t n = ms_round_up64(job->a->sequence, TILE_COLUMNS), d = job->a->head_size, at = 0;
    out->keys = attention_take(base, &at, n * d + LANES);
    out->values = attention_take(base, &at, n * job->head_padded);
    out->queries = attention_take(base, &at, TILE_QUERIES * d + LANES);
    out->scores = attention_take(base, &at, TILE_QUERIES * job->scores_stride);
    return (size_t)ms_round_up64(at * (int64_t)sizeof(real), 64);
}

static attention_job prepare(const ms_cpu_call *call) {
    const ms_attention_attributes *a = &call->attributes->attention;
    attention_job job = {
        .a = a,
        .q = call->in[0].data,
        .k = call->in[1].data,
        .v = call->in[2].data,
        .o = call->out[0].data,
        .lse = call->out[1].data,
        .head_padded = ms_round_up64(a->head_size, TILE_COLUMNS),
        .scores_stride = ms_round_up64(a->sequence, TILE_COLUMNS) + LANES,
        .n_parts = (a->sequence + TASK_QUERIES - 1) / TASK_QUERIES,
        .workspace = call->workspace,
    };
    attention_scratch unused;
    job.scratch_bytes = lay_out(&job, NULL, &unused);
    return job;
}

/* Scaled scores of queries [i, i + n) against all keys that any of them sees; whole panels of keys. */
static void compute_scores(const attention_job *job, const attention_scratch *scratch, int64_t i, int64_t n) {
    int64_t d = job->a->head_size;
    real scale = (real)job->a->scale;
    for (int64_t j = 0; j < i + n; j += TILE_COLUMNS) {
        for (int64_t r = 0; r < n; r += ATTENTION_ROWS) {
            if (j >= i + r + ATTENTION_ROWS) continue;
            attention_sums sum;
            attention_rows rows = {scratch->queries + r * d, 1, ATTENTION_ROWS};
            attention_terms(sum, rows, (attention_columns){scratch->keys + j * d, TILE_COLUMNS}, 0, d, true);
            for (int t = 0; t < ATTENTION_ROWS; t++) {
                sum[t][0] = sum[t][0] * scale;
                sum[t][1] = sum[t][1] * scale;
            }
            attention_store(sum, scratch->scores + r * job->scores_stride + j, job->scores_stride);
        }
    }
}

/* Weighted values of ATTENTION_ROWS queries from i, columns [column, column + TILE_COLUMNS) of the head, not yet
   divided. */
static void weigh_values(const attention_job *job, const attention_scratch *scratch, const real *weights, int64_t i,
                         int64_t column, real total[ATTENTION_ROWS * TILE_COLUMNS]) {
    attention_rows rows = {weights, job->scores_stride, 1};
    attention_columns values = {scratch->values + column, job->head_padded};
    for (int64_t j = 0; j <= i; j += MS_DEPTH_CHUNK) {
        attention_sums sum;
        attention_terms(sum, rows, values, j, ms_min64(j + MS_DEPTH_CHUNK, i + 1), true);
        if (j + MS_DEPTH_CHUNK > i) attention_ragged_end(sum, rows, values, i, job->a->sequence);
        attention_accumulate(sum, total, TILE_COLUMNS, j > 0);
    }
}

/* A query head of a sequence: its row 0 of q and of o, and its lse; o and lse may be NULL. */
typedef struct query_head {
    const real *q;
    real *o, *lse;
} query_head;

/* Queries [i, i + n), n <= TILE_QUERIES. */
static void attend(const attention_job *job, const attention_scratch *scratch, const query_head *head, int64_t i,
                   int64_t n) {
    int64_t stride = (int64_t)job->a->heads * job->a->head_size, d = job->a->head_size;
    attention_pack((attention_head){head->q, stride}, i, n, d, ATTENTION_ROWS, scratch->queries);
    compute_scores(job, scratch, i, n);
    real inverse[TILE_QUERIES];
    for (int64_t r = 0; r < n; r++) {
        real max, sum = attention_softmax_row(scratch->scores + r * job->scores_stride, i + r + 1, &max);
        inverse[r] = ms_reciprocal(sum);
        if (head->lse) head->lse[i + r] = max + ms_log(sum);
    }
    for (int64_t r = 0; head->o && r < n; r += ATTENTION_ROWS) {
        int64_t n_rows = ms_min64(ATTENTION_ROWS, n - r);
        for (int64_t column = 0; column < d; column += TILE_COLUMNS) {
            real total[ATTENTION_ROWS * TILE_COLUMNS];
            weigh_values(job, scratch, scratch->scores + r * job->scores_stride, i + r, column, total);
            int64_t n_columns = ms_min64(TILE_COLUMNS, d - column);
            for (int64_t t = 0; t < n_rows; t++)
                for (int64_t c = 0; c < n_columns; c++)
                    head->o[(i + r + t) * stride + column + c] = total[t * TILE_COLUMNS + c] * inverse[r + t];
        }
    }
}

static void attention_task(void *context, int64_t i_task, int i_thread) {
    const attention_job *job = context;
    const ms_attention_attributes *a = job->a;
    /* Late queries see most keys: longest tasks first. */
    int64_t n_heads = (int64_t)a->batch * a->kv_heads, i_part = job->n_parts - 1 - i_task / n_heads;
    int64_t i_batch = i_task % n_heads / a->kv_heads, i_kv = i_task % a->kv_heads;
    int64_t begin = i_part * TASK_QUERIES, end = ms_min64(begin + TASK_QUERIES, a->sequence);
    int64_t d = a->head_size, group = a->heads / a->kv_heads, kv_stride = (int64_t)a->kv_heads * d;
    int64_t stride = (int64_t)a->heads * d, row0 = i_batch * a->sequence;
    attention_scratch scratch;
    lay_out(job, (real *)(job->workspace + (size_t)i_thread * job->scratch_bytes), &scratch);
    int64_t kv_at = row0 * kv_stride + i_kv * d;
    attention_pack((attention_head){job->k + kv_at, kv_stride}, 0, end, d, TILE_COLUMNS, scratch.keys);
    attention_copy_rows((attention_head){job->v + kv_at, kv_stride}, end, d, job->head_padded, scratch.values);
    for (int64_t h = i_kv * group; h < (i_kv + 1) * group; h++) {
        int64_t at = row0 * stride + h * d;
        query_head head = {job->q + at, job->o ? job->o + at : NULL,
                           job->lse ? job->lse + (i_batch * a->heads + h) * a->sequence : NULL};
        for (int64_t i = begin; i < end; i += TILE_QUERIES)
            attend(job, &scratch, &head, i, ms_min64(TILE_QUERIES, end - i));
    }
}

size_t MS_WORKSPACE(attention)(const ms_cpu_call *call) {
    return (size_t)ms_pool_size(call->pool) * prepare(call).scratch_bytes;
}

ms_status MS_KERNEL(attention)(const ms_cpu_call *call) {
    attention_job job = prepare(call);
    ms_pool_run(call->pool, (int64_t)job.a->batch * job.a->kv_heads * job.n_parts, attention_task, &job);
    return MS_OK;
}
