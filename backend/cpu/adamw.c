/* adamw: ms_formula_adamw_moments and ms_formula_adamw_delta, the gradient times the factor of clip first.  Inputs m,
   v, g, w, clip [2] (optional: {norm, factor}); outputs m', v', delta, which may be m, v, g. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct adamw_job {
    const real *m, *v, *g, *w;
    real *m_out, *v_out, *delta; /* NULL: not wanted */
    int64_t count;
    ms_adamw_rates rates;
    ms_adamw_step step;
    real factor;
    bool has_clip;
} adamw_job;

enum { ADAMW_PIECE = 512 };

static void adamw_moments(const adamw_job *job, int64_t begin, int64_t n, real *m_new, real *v_new) {
    const real *m = job->m + begin, *v = job->v + begin, *g = job->g + begin;
    ms_adamw_rates rates = job->rates;
    real factor = job->factor;
    for (int64_t i = 0; i < n; i++) {
        real gradient = job->has_clip ? ms_formula_mul(factor, g[i]) : g[i];
        ms_pair pair = ms_formula_adamw_moments(m[i], v[i], gradient, rates);
        m_new[i] = pair.first;
        v_new[i] = pair.second;
    }
}

static void adamw_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const adamw_job *job = context;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    real m_new[ADAMW_PIECE], v_new[ADAMW_PIECE], delta[ADAMW_PIECE];
    for (int64_t begin = range.begin; begin < range.end; begin += ADAMW_PIECE) {
        const real *w = job->w + begin;
        int64_t n = range.end - begin < ADAMW_PIECE ? range.end - begin : ADAMW_PIECE;
        adamw_moments(job, begin, n, m_new, v_new);
        if (job->delta) {
            for (int64_t i = 0; i < n; i++) delta[i] = ms_formula_adamw_delta(m_new[i], v_new[i], w[i], job->step);
            memcpy(job->delta + begin, delta, (size_t)n * sizeof(real));
        }
        if (job->m_out) memcpy(job->m_out + begin, m_new, (size_t)n * sizeof(real));
        if (job->v_out) memcpy(job->v_out + begin, v_new, (size_t)n * sizeof(real));
    }
}

ms_status MS_KERNEL(adamw)(const ms_cpu_call *call) {
    const ms_adamw_attributes *attributes = &call->attributes->adamw;
    const real *clip = call->in[4].data;
    adamw_job job = {0};
    job.m = call->in[0].data, job.v = call->in[1].data, job.g = call->in[2].data, job.w = call->in[3].data;
    job.m_out = call->out[0].data, job.v_out = call->out[1].data, job.delta = call->out[2].data;
    job.count = ms_shape_count(&call->in[0].shape);
    real beta1 = (real)attributes->beta1, beta2 = (real)attributes->beta2;
    job.rates = (ms_adamw_rates){beta1, 1 - beta1, beta2, 1 - beta2};
    job.step.lr = ms_coefficient_value(call, attributes->lr);
    job.step.inverse_bias1 = ms_coefficient_value(call, attributes->inverse_bias1);
    job.step.inverse_bias2 = ms_coefficient_value(call, attributes->inverse_bias2);
    job.step.epsilon = (real)attributes->epsilon, job.step.decay = (real)attributes->decay;
    job.has_clip = clip != NULL;
    job.factor = clip ? clip[1] : (real)1;
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), adamw_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(adamw)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
