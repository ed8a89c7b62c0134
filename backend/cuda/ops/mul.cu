// mul: y = x0 * x1 elementwise; x1 may be one number, of either dtype; y may be x0.  Definition: backend/cpu/mul.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

template <class T> struct mul_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x0, *x1;
    T *y;

    template <int W> __device__ void run(unsigned int i) const {
        ms_pack<W> value = ms_load_pack<W>(x0, i), factor = ms_load_pack<W>(x1, i);
#pragma unroll
        for (int j = 0; j < W; j++) value.x[j] = ms_exact_formulas::ms_formula_mul(value.x[j], factor.x[j]);
        ms_store_pack<W>(y, i, value);
    }
};

template <class T> struct mul_by_number_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x0;
    const void *factor;
    bool factor_is_bf16;
    T *y;

    template <int W> __device__ void run(unsigned int i) const {
        float number =
            factor_is_bf16 ? ms_load_element((const ms_bf16 *)factor, 0) : ms_load_element((const float *)factor, 0);
        ms_pack<W> value = ms_load_pack<W>(x0, i);
#pragma unroll
        for (int j = 0; j < W; j++) value.x[j] = ms_exact_formulas::ms_formula_mul(value.x[j], number);
        ms_store_pack<W>(y, i, value);
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *x0 = &call->in[0], *x1 = &call->in[1], *y = &call->out[0];
    if (x1->count == 1) {
        mul_by_number_op<T> op = {(const T *)x0->data, x1->data, x1->dtype == MS_DTYPE_BF16, (T *)y->data};
        return ms_run_elements(call, op, y->count);
    }
    mul_op<T> op = {(const T *)x0->data, (const T *)x1->data, (T *)y->data};
    return ms_run_elements(call, op, y->count);
}

extern "C" ms_status ms_cuda_mul(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_mul_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
