// adamw: g' = factor g (g without clip);  m' = (b1 m) + ((1-b1) g');  v' = (b2 v) + (((1-b2) g') g'), 0 below 2^-80;
// delta = lr ((m' inverse_bias1) / (sqrt(v' inverse_bias2) + epsilon) + decay w); the outputs may be m, v, g.
// Definition: backend/cpu/adamw.c.
#include "backend/cuda/ops/elementwise.cuh"

struct adamw_op {
    enum { WIDTH = MS_PACK_WIDTH(float) };
    const float *m, *v, *g, *w, *clip; // clip {norm, factor} or NULL
    float *m_out, *v_out, *delta;      // NULL: not wanted
    ms_adamw_attributes attributes;
    const float *step_scalars;

    __device__ __forceinline__ float step_of(float m_new, float v_new, float weight) const {
        float inverse1 = ms_coefficient_value(attributes.inverse_bias1, step_scalars);
        float inverse2 = ms_coefficient_value(attributes.inverse_bias2, step_scalars);
        float root = ms_add(ms_sqrt(ms_mul(v_new, inverse2)), attributes.epsilon);
        float change = ms_add(ms_div(ms_mul(m_new, inverse1), root), ms_mul(attributes.decay, weight));
        return ms_mul(ms_coefficient_value(attributes.lr, step_scalars), change);
    }

    template <int W> __device__ void run(unsigned int i) const {
        float rest1 = ms_sub(1.0f, attributes.beta1), rest2 = ms_sub(1.0f, attributes.beta2);
        ms_pack<W> gradient = ms_load_pack<W>(g, i);
        if (clip) gradient = ms_pack_scale(gradient, clip[1]);
        ms_pack<W> m_new =
            ms_pack_add(ms_pack_scale(ms_load_pack<W>(m, i), attributes.beta1), ms_pack_scale(gradient, rest1));
        ms_pack<W> v_new = ms_pack_add(ms_pack_scale(ms_load_pack<W>(v, i), attributes.beta2),
                                       ms_pack_mul(ms_pack_scale(gradient, rest2), gradient));
#pragma unroll
        for (int j = 0; j < W; j++) v_new.x[j] = v_new.x[j] < 8.27180613e-25f ? 0.0f : v_new.x[j]; // 2^-80
        if (delta) {
            ms_pack<W> step = ms_load_pack<W>(w, i);
#pragma unroll
            for (int j = 0; j < W; j++) step.x[j] = step_of(m_new.x[j], v_new.x[j], step.x[j]);
            ms_store_pack<W>(delta, i, step);
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
