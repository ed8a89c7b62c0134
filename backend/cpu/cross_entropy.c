/* cross_entropy, per row x [V] of logits with target t: m = max(x), p = exp(x - m), l = sum(p) by the reduction rule;
   loss = (m + log l) - x[t];  dlogits = scale (p (1/l)), at t scale (p (1/l) - 1).  Target -1: loss and dlogits are 0.
   logits, dlogits [N,V] (may be the same storage), targets i32 [N], losses [N].  A row stays in the second-level cache
   between the three passes.  MS_INVALID: a target outside of [-1, V). */
#include "backend/cpu/reduce.h"
#include "backend/cpu/share.h"
#include "backend/exact.h"

typedef struct cross_entropy_job {
    const real *logits;
    const int32_t *targets;
    real *losses, *dlogits; /* NULL: not wanted */
    int64_t rows, columns;
    real scale;
} cross_entropy_job;

typedef struct exponentials {
    const real *x;
    real *p; /* where to keep them, may be x; NULL: nowhere */
    real m;
} exponentials;

static real exponentials_block(const void *context, int64_t begin, int64_t n) {
    const exponentials *row = context;
    const real *x = row->x + begin;
    real scratch[MS_REDUCE_BLOCK], *p = row->p ? row->p + begin : scratch, m = row->m;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) p[i] = ms_exp(x[i] - m);
    return ms_block_sum(p, n);
}

enum { MAXIMUM_LANES = 128 };

/* Any order gives the same maximum; a NaN may be lost here but comes back through the sum. */
static real row_maximum(const real *x, int64_t n) {
    real lane[MAXIMUM_LANES], maximum = x[0];
    for (int l = 0; l < MAXIMUM_LANES; l++) lane[l] = maximum;
    int64_t i = 0;
    for (; i + MAXIMUM_LANES <= n; i += MAXIMUM_LANES)
#pragma GCC ivdep
        for (int l = 0; l < MAXIMUM_LANES; l++) {
            real value = x[i + l], old = lane[l];
            lane[l] = value > old ? value : old;
        }
    for (int l = 0; l < MAXIMUM_LANES; l++) maximum = lane[l] > maximum ? lane[l] : maximum;
    for (; i < n; i++) maximum = x[i] > maximum ? x[i] : maximum;
    return maximum;
}

static void row_without_target(const cross_entropy_job *job, int64_t n) {
    if (job->losses) job->losses[n] = 0;
    if (!job->dlogits) return;
    real *dlogits = job->dlogits + n * job->columns;
    for (int64_t v = 0; v < job->columns; v++) dlogits[v] = 0;
}

static void cross_entropy_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const cross_entropy_job *job = context;
    int64_t columns = job->columns;
    ms_range range = ms_chunk_range(i_task, ms_row_chunk(columns), job->rows);
    for (int64_t n = range.begin; n < range.end; n++) {
        int32_t target = job->targets[n];
        if (target < 0) {
            row_without_target(job, n);
            continue;
        }
        const real *x = job->logits + n * columns;
        real x_target = x[target], *p = job->dlogits ? job->dlogits + n * columns : NULL;
        exponentials row = {x, p, row_maximum(x, columns)};
        real l = ms_reduce_from(exponentials_block, &row, 0, columns);
        if (job->losses) job->losses[n] = (row.m + ms_log(l)) - x_target;
        if (!p) continue;
        real inverse = ms_reciprocal(l), scale = job->scale, at_target = scale * (p[target] * inverse - 1);
#pragma GCC ivdep
        for (int64_t v = 0; v < columns; v++) p[v] = scale * (p[v] * inverse);
        p[target] = at_target;
    }
}

ms_status MS_KERNEL(cross_entropy)(const ms_cpu_call *call) {
    const ms_shape *shape = &call->in[0].shape;
    cross_entropy_job job = {call->in[0].data,
                             call->in[1].data,
                             call->out[0].data,
                             call->out[1].data,
                             shape->dim[0],
                             shape->dim[1],
                             (real)call->attributes->cross_entropy.scale};
    for (int64_t n = 0; n < job.rows; n++)
        if (job.targets[n] < -1 || job.targets[n] >= job.columns)
            return MS_FAIL(MS_INVALID, "cross_entropy: target %d of token %lld is not in [-1, %lld)", job.targets[n],
                           (long long)n, (long long)job.columns);
    ms_pool_run(call->pool, ms_chunk_count(job.rows, ms_row_chunk(job.columns)), cross_entropy_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(cross_entropy)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
