/* ema_nesterov: ms_formula_ema_nesterov.  Inputs m, g, clip [2] (optional: {norm, factor}); outputs m', u; m' may be m
   and u may be g. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct ema_nesterov_job {
    const real *m, *g;
    real *m_out, *u; /* NULL: not wanted */
    int64_t count;
    real momentum, factor;
    bool has_clip, nesterov;
} ema_nesterov_job;

enum { EMA_PIECE = 512 };

static void ema_nesterov_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const ema_nesterov_job *job = context;
    real momentum = job->momentum, rest = 1 - momentum, factor = job->factor;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    real m_new[EMA_PIECE], u_new[EMA_PIECE];
    for (int64_t begin = range.begin; begin < range.end; begin += EMA_PIECE) {
        const real *m = job->m + begin, *g = job->g + begin;
        int64_t n = range.end - begin < EMA_PIECE ? range.end - begin : EMA_PIECE;
        for (int64_t i = 0; i < n; i++) {
            real gradient = job->has_clip ? ms_formula_mul(factor, g[i]) : g[i];
            ms_pair pair = ms_formula_ema_nesterov(m[i], gradient, momentum, rest, job->nesterov);
            m_new[i] = pair.first;
            u_new[i] = pair.second;
        }
        if (job->m_out) memcpy(job->m_out + begin, m_new, (size_t)n * sizeof(real));
        if (job->u) memcpy(job->u + begin, u_new, (size_t)n * sizeof(real));
    }
}

ms_status MS_KERNEL(ema_nesterov)(const ms_cpu_call *call) {
    const ms_ema_nesterov_attributes *attributes = &call->attributes->ema_nesterov;
    const real *clip = call->in[2].data;
    ema_nesterov_job job = {0};
    job.m = call->in[0].data, job.g = call->in[1].data;
    job.m_out = call->out[0].data, job.u = call->out[1].data;
    job.count = ms_shape_count(&call->in[0].shape);
    job.momentum = ms_coefficient_value(call, attributes->momentum);
    job.has_clip = clip != NULL;
    job.factor = clip ? clip[1] : (real)1;
    job.nesterov = attributes->nesterov;
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), ema_nesterov_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(ema_nesterov)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
