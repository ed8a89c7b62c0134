// ema_nesterov: ms_formula_ema_nesterov of the gradient times the factor of clip; m' may be m and u may be g.  Definition:
// backend/cpu/ema_nesterov.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

struct ema_nesterov_op {
    enum { WIDTH = MS_PACK_WIDTH(float) };
    const float *m, *g, *clip; // clip {norm, factor} or NULL
    float *m_out, *u;          // NULL: not wanted
    ms_coefficient momentum;
    const float *step_scalars;
    bool nesterov;

    template <int W> __device__ void run(unsigned int i) const {
        float b = ms_coefficient_value(momentum, step_scalars), rest = ms_sub(1.0f, b);
        ms_pack<W> m_new = ms_load_pack<W>(m, i), update = ms_load_pack<W>(g, i);
        if (clip) update = ms_pack_scale(update, clip[1]);
#pragma unroll
        for (int j = 0; j < W; j++) {
            auto pair = ms_exact_formulas::ms_formula_ema_nesterov(m_new.x[j], update.x[j], b, rest, nesterov);
            m_new.x[j] = pair.first, update.x[j] = pair.second;
        }
        if (m_out) ms_store_pack<W>(m_out, i, m_new);
        if (u) ms_store_pack<W>(u, i, update);
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
