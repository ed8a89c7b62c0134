/* attention_logit_max: y [H], of each query head the largest s_ij = (sum over d ascending of q_id * k_jd) * scale over
   all sequences, queries i and the keys j <= i that they see, by ms_formula_maximum: NaN where one of them is NaN.  The
   s_ij are those of attention (attention.c), to the bit in `exact`.  q [N, H*D], k [N, G*D], N = B*T; head h reads key
   head h / (H/G).

   One task has one key head and TASK_QUERIES queries of all its query heads, and keeps their maxima by columns of the
   register tile; these are joined at the end.  A maximum does not depend on the order, so neither does the result. */
#include <math.h>

#include "backend/cpu/attention_tile.h"
#include "backend/formulas.h"

enum { TASK_QUERIES = 256 };

typedef struct maximum_job {
    const ms_attention_attributes *a;
    const real *q, *k;
    real *found;     /* [heads][tasks of a head][TILE_COLUMNS] */
    int64_t n_parts; /* of queries, per sequence */
    char *scratch;   /* of each thread: packed keys, packed queries */
    size_t scratch_bytes;
} maximum_job;

typedef struct maximum_scratch {
    real *keys;    /* panels [ceil(T / TILE_COLUMNS)][D][TILE_COLUMNS] */
    real *queries; /* one panel [D][ATTENTION_ROWS] */
} maximum_scratch;

static size_t lay_out(const maximum_job *job, real *base, maximum_scratch *out) {
    int64_t n = ms_round_up64(job->a->sequence, TILE_COLUMNS), d = job->a->head_size, at = 0;
    out->keys = attention_take(base, &at, n * d + LANES);
    out->queries = attention_take(base, &at, ATTENTION_ROWS * d + LANES);
    return (size_t)ms_round_up64(at * (int64_t)sizeof(real), 64);
}

static int64_t tasks_of_a_head(const maximum_job *job) { return job->n_parts * job->a->batch; }

static size_t found_bytes(const maximum_job *job) {
    int64_t n = (int64_t)job->a->heads * tasks_of_a_head(job) * TILE_COLUMNS;
    return (size_t)ms_round_up64(n * (int64_t)sizeof(real), 64);
}

static maximum_job prepare(const ms_cpu_call *call) {
    const ms_attention_attributes *a = &call->attributes->attention;
    maximum_job job = {.a = a,
                       .q = call->in[0].data,
                       .k = call->in[1].data,
                       .found = call->workspace,
                       .n_parts = (a->sequence + TASK_QUERIES - 1) / TASK_QUERIES};
    if (call->workspace) job.scratch = (char *)call->workspace + found_bytes(&job);
    maximum_scratch unused;
    job.scratch_bytes = lay_out(&job, NULL, &unused);
    return job;
}

/* Takes the scores of row t of a tile, of which the first `n` are seen. */
static inline void take_row(const real *scores, int64_t n, real scale, real best[TILE_COLUMNS]) {
    if (n >= TILE_COLUMNS)
        for (int l = 0; l < TILE_COLUMNS; l++) best[l] = ms_formula_maximum(best[l], scores[l] * scale);
    else
        for (int64_t l = 0; l < n; l++) best[l] = ms_formula_maximum(best[l], scores[l] * scale);
}

/* Queries [i, i + n), n <= ATTENTION_ROWS, packed, with the keys that they see. */
static void take_queries(const maximum_job *job, const maximum_scratch *scratch, int64_t i, int64_t n,
                         real best[TILE_COLUMNS]) {
    int64_t d = job->a->head_size;
    real scale = (real)job->a->scale;
    attention_rows rows = {scratch->queries, 1, ATTENTION_ROWS};
    for (int64_t j = 0; j < i + n; j += TILE_COLUMNS) {
        attention_sums sum;
        real scores[ATTENTION_ROWS * TILE_COLUMNS];
        attention_terms(sum, rows, (attention_columns){scratch->keys + j * d, TILE_COLUMNS}, 0, d, true);
        attention_store(sum, scores, TILE_COLUMNS);
        for (int64_t t = 0; t < n; t++) take_row(scores + t * TILE_COLUMNS, i + t + 1 - j, scale, best);
    }
}

static void maximum_task(void *context, int64_t i_task, int i_thread) {
    const maximum_job *job = context;
    const ms_attention_attributes *a = job->a;
    /* Late queries see most keys: longest tasks first. */
    int64_t n_heads = (int64_t)a->batch * a->kv_heads, i_part = job->n_parts - 1 - i_task / n_heads;
    int64_t i_batch = i_task % n_heads / a->kv_heads, i_kv = i_task % a->kv_heads;
    int64_t begin = i_part * TASK_QUERIES, end = ms_min64(begin + TASK_QUERIES, a->sequence);
    int64_t d = a->head_size, group = a->heads / a->kv_heads, row0 = i_batch * a->sequence;
    int64_t stride = (int64_t)a->heads * d, kv_stride = (int64_t)a->kv_heads * d;
    maximum_scratch scratch;
    lay_out(job, (real *)(job->scratch + (size_t)i_thread * job->scratch_bytes), &scratch);
    attention_head keys = {job->k + row0 * kv_stride + i_kv * d, kv_stride};
    attention_pack(keys, 0, end, d, TILE_COLUMNS, scratch.keys);
    for (int64_t h = i_kv * group; h < (i_kv + 1) * group; h++) {
        attention_head queries = {job->q + row0 * stride + h * d, stride};
        real *best = job->found + (h * tasks_of_a_head(job) + i_batch * job->n_parts + i_part) * TILE_COLUMNS;
        for (int l = 0; l < TILE_COLUMNS; l++) best[l] = -(real)INFINITY;
        for (int64_t i = begin; i < end; i += ATTENTION_ROWS) {
            int64_t n = ms_min64(ATTENTION_ROWS, end - i);
            attention_pack(queries, i, n, d, ATTENTION_ROWS, scratch.queries);
            take_queries(job, &scratch, i, n, best);
        }
    }
}

size_t MS_WORKSPACE(attention_logit_max)(const ms_cpu_call *call) {
    maximum_job job = prepare(call);
    return found_bytes(&job) + (size_t)ms_pool_size(call->pool) * job.scratch_bytes;
}

ms_status MS_KERNEL(attention_logit_max)(const ms_cpu_call *call) {
    if (!call->out[0].data) return MS_OK;
    maximum_job job = prepare(call);
    ms_pool_run(call->pool, (int64_t)job.a->batch * job.a->kv_heads * job.n_parts, maximum_task, &job);
    int64_t n = tasks_of_a_head(&job) * TILE_COLUMNS;
    for (int64_t h = 0; h < job.a->heads; h++) {
        real best = job.found[h * n];
        for (int64_t i = 1; i < n; i++) best = ms_formula_maximum(best, job.found[h * n + i]);
        ((real *)call->out[0].data)[h] = best;
    }
    return MS_OK;
}
