// adamw: ms_formula_adamw_moments and ms_formula_adamw_delta, the gradient times the factor of clip first; the outputs may be
// m, v, g.  Definition: backend/cpu/adamw.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

struct adamw_op {
    enum { WIDTH = MS_PACK_WIDTH(float) };
    const float *m, *v, *g, *w, *clip; // clip {norm, factor} or NULL
    float *m_out, *v_out, *delta;      // NULL: not wanted
    ms_adamw_attributes attributes;
    const float *step_scalars;

    template <int W> __device__ void run(unsigned int i) const {
        const ms_exact_formulas::ms_adamw_rates rates = {attributes.beta1, ms_sub(1.0f, attributes.beta1),
                                                         attributes.beta2, ms_sub(1.0f, attributes.beta2)};
        ms_pack<W> gradient = ms_load_pack<W>(g, i), m_new = ms_load_pack<W>(m, i), v_new = ms_load_pack<W>(v, i);
        if (clip) gradient = ms_pack_scale(gradient, clip[1]);
#pragma unroll
        for (int j = 0; j < W; j++) {
            auto pair = ms_exact_formulas::ms_formula_adamw_moments(m_new.x[j], v_new.x[j], gradient.x[j], rates);
            m_new.x[j] = pair.first, v_new.x[j] = pair.second;
        }
        if (delta) {
            const ms_exact_formulas::ms_adamw_step step = {ms_coefficient_value(attributes.lr, step_scalars),
                                                           ms_coefficient_value(attributes.inverse_bias1, step_scalars),
                                                           ms_coefficient_value(attributes.inverse_bias2, step_scalars),
                                                           attributes.epsilon, attributes.decay};
            ms_pack<W> change = ms_load_pack<W>(w, i);
#pragma unroll
            for (int j = 0; j < W; j++)
                change.x[j] =
                    ms_exact_formulas::ms_formula_adamw_delta(m_new.x[j], v_new.x[j], change.x[j], step);
            ms_store_pack<W>(delta, i, change);
        }
        if (m_out) ms_store_pack<W>(m_out, i, m_new);
        if (v_out) ms_store_pack<W>(v_out, i, v_new);
    }
};

extern "C" ms_status ms_cuda_adamw(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data && !call->out[2].data) return MS_OK;
    adamw_op op = {(const float *)call->in[0].data, (const float *)call->in[1].data,
                   (const float *)call->in[2].data, (const float *)call->in[3].data,
                   (const float *)call->in[4].data, (float *)call->out[0].data,
                   (float *)call->out[1].data,      (float *)call->out[2].data,
                   call->attributes->adamw,         call->step_scalars};
    return ms_run_elements(call, op, call->in[0].count);
}

extern "C" size_t ms_cuda_adamw_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
