// The ops of kind ELEMENTWISE: kernels made of their formulas (backend/formulas.h).  All operands have one shape and
// dtype, and an output may be an input.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

// The formula F, of N_IN inputs and one result or two.
template <class T, class F, int N_IN, int N_OUT> struct formula_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *in[N_IN];
    T *out[N_OUT]; // NULL: not wanted

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> x[N_IN], y[N_OUT];
#pragma unroll
        for (int k = 0; k < N_IN; k++) x[k] = ms_load_pack<W>(in[k], i);
#pragma unroll
        for (int j = 0; j < W; j++) {
            if constexpr (N_IN == 1) y[0].x[j] = F::of(x[0].x[j]);
            if constexpr (N_IN == 2) y[0].x[j] = F::of(x[0].x[j], x[1].x[j]);
            if constexpr (N_IN == 3) {
                auto pair = F::of(x[0].x[j], x[1].x[j], x[2].x[j]);
                y[0].x[j] = pair.first, y[1].x[j] = pair.second;
            }
        }
#pragma unroll
        for (int k = 0; k < N_OUT; k++)
            if (N_OUT == 1 || out[k]) ms_store_pack<W>(out[k], i, y[k]);
    }
};

template <class T, class F, int N_IN, int N_OUT> static ms_status run_formula(const ms_cuda_call *call) {
    formula_op<T, F, N_IN, N_OUT> op = {};
    bool is_wanted = false;
    for (int k = 0; k < N_IN; k++) op.in[k] = (const T *)call->in[k].data;
    for (int k = 0; k < N_OUT; k++) {
        op.out[k] = (T *)call->out[k].data;
        is_wanted = is_wanted || op.out[k];
    }
    return is_wanted ? ms_run_elements(call, op, call->in[0].count) : MS_OK;
}

template <class EXACT, class FAST, int N_IN, int N_OUT> static ms_status run(const ms_cuda_call *call) {
    bool is_bf16 = call->in[0].dtype == MS_DTYPE_BF16;
    if (call->numerics == MS_NUMERICS_FAST)
        return is_bf16 ? run_formula<ms_bf16, FAST, N_IN, N_OUT>(call) : run_formula<float, FAST, N_IN, N_OUT>(call);
    return is_bf16 ? run_formula<ms_bf16, EXACT, N_IN, N_OUT>(call) : run_formula<float, EXACT, N_IN, N_OUT>(call);
}

// The kernels of each row of ops.def.
#define KERNEL_PRIMITIVE(lower, n_in, n_out)
#define KERNEL_FREE(lower, n_in, n_out)
#define KERNEL_COMPOSITE(lower, n_in, n_out)
#define KERNEL_ELEMENTWISE(lower, n_in, n_out)                                                                         \
    template <bool FAST> struct lower##_formula {                                                                        \
        template <class... X> static __device__ __forceinline__ auto of(X... x) {                                      \
            return ms_formulas<FAST>::ms_formula_##lower(x...);                                                        \
        }                                                                                                              \
    };                                                                                                                 \
    extern "C" ms_status ms_cuda_##lower(const ms_cuda_call *call) {                                                   \
        return run<lower##_formula<false>, lower##_formula<true>, n_in, n_out>(call);                                  \
    }                                                                                                                  \
    extern "C" size_t ms_cuda_##lower##_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
#define OP(upper, lower, kind, min_in, max_in, n_out, ...) KERNEL_##kind(lower, max_in, n_out)
#include "backend/ir/ops.def"
#undef OP
