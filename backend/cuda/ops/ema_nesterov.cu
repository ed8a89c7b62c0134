// ema_nesterov: g' = factor g (g without clip);  m' = (b m) + ((1-b) g');  u = ((1-b) g') + (b m') with `nesterov`,
// else m'; m' may be m and u may be g.  Definition: backend/cpu/ema_nesterov.c.
#include "backend/cuda/ops/elementwise.cuh"

struct ema_nesterov_op {
    enum { WIDTH = MS_PACK_WIDTH(float) };
    const float *m, *g, *clip; // clip {norm, factor} or NULL
    float *m_out, *u;          // NULL: not wanted
    ms_coefficient momentum;
    const float *step_scalars;
    bool nesterov;

    template <int W> __device__ void run(unsigned int i) const {
        float b = ms_coefficient_value(momentum, step_scalars);
        ms_pack<W> gradient = ms_load_pack<W>(g, i);
        if (clip) gradient = ms_pack_scale(gradient, clip[1]);
        ms_pack<W> part = ms_pack_scale(gradient, ms_sub(1.0f, b));
        ms_pack<W> m_new = ms_pack_add(ms_pack_scale(ms_load_pack<W>(m, i), b), part);
        if (m_out) ms_store_pack<W>(m_out, i, m_new);
        if (u) ms_store_pack<W>(u, i, nesterov ? ms_pack_add(part, ms_pack_scale(m_new, b)) : m_new);
    }
};

extern "C" ms_status ms_cuda_ema_nesterov(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    const ms_ema_nesterov_attributes *attributes = &call->attributes->ema_nesterov;
    ema_nesterov_op op = {(const float *)call->in[0].data,
                          (const float *)call->in[1].data,
                          (const float *)call->in[2].data,
                          (float *)call->out[0].data,
                          (float *)call->out[1].data,
                          attributes->momentum,
                          call->step_scalars,
                          attributes->nesterov};
    return ms_run_elements(call, op, call->in[0].count);
}

extern "C" size_t ms_cuda_ema_nesterov_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
