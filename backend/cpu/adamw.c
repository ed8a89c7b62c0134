/* adamw (Kingma & Ba 2015; Loshchilov & Hutter 2019): g' = factor g (g without clip);  m' = (b1 m) + ((1-b1) g');
   v' = (b2 v) + (((1-b2) g') g'), 0 below 2^-80 in `exact`, so that no subnormal arises;
   delta = lr ((m' inverse_bias1) / (sqrt(v' inverse_bias2) + epsilon) + decay w).
   Inputs m, v, g, w, clip [2] (optional: {norm, factor}); outputs m', v', delta, which may be m, v, g. */
#include "backend/cpu/share.h"
#include "backend/exact.h"

typedef struct adamw_job {
    const real *m, *v, *g, *w;
    real *m_out, *v_out, *delta; /* NULL: not wanted */
    int64_t count;
    real beta1, beta2, epsilon, decay, lr, inverse_bias1, inverse_bias2, factor;
    bool has_clip;
} adamw_job;

enum { ADAMW_PIECE = 512 };

#ifdef MS_REAL_IS_DOUBLE
static real flush_small(real v) { return v; }
#else
static real flush_small(real v) { return v < 8.27180613e-25f ? 0.0f : v; } /* 2^-80 */
#endif

static void adamw_moments(const adamw_job *job, int64_t begin, int64_t n, real *m_new, real *v_new) {
    const real *m = job->m + begin, *v = job->v + begin, *g = job->g + begin;
    real beta1 = job->beta1, beta2 = job->beta2, rest1 = 1 - beta1, rest2 = 1 - beta2, factor = job->factor;
    for (int64_t i = 0; i < n; i++) {
        real gradient = job->has_clip ? factor * g[i] : g[i];
        m_new[i] = beta1 * m[i] + rest1 * gradient;
        v_new[i] = flush_small(beta2 * v[i] + (rest2 * gradient) * gradient);
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
            for (int64_t i = 0; i < n; i++) {
                real root = ms_sqrt(v_new[i] * job->inverse_bias2) + job->epsilon;
                delta[i] = job->lr * (ms_div(m_new[i] * job->inverse_bias1, root) + job->decay * w[i]);
            }
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
    job.beta1 = (real)attributes->beta1, job.beta2 = (real)attributes->beta2;
    job.epsilon = (real)attributes->epsilon, job.decay = (real)attributes->decay;
    job.lr = ms_coefficient_value(call, attributes->lr);
    job.inverse_bias1 = ms_coefficient_value(call, attributes->inverse_bias1);
    job.inverse_bias2 = ms_coefficient_value(call, attributes->inverse_bias2);
    job.has_clip = clip != NULL;
    job.factor = clip ? clip[1] : (real)1;
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), adamw_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(adamw)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
