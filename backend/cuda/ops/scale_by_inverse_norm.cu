// scale_by_inverse_norm: y = x r with r = 1 / (factor sqrt(ss) + epsilon), one ss per matrix of the stack; y may be x.
// Definition: backend/cpu/scale_by_inverse_norm.c.
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

template <class T> struct scale_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    const T *x;
    const float *ss;
    T *y;
    unsigned int size; // of one matrix
    float factor, epsilon;

    template <int W> __device__ void run(unsigned int i) const {
        float inverse = ms_exact_formulas::ms_formula_inverse_norm(ss[i / size], factor, epsilon);
        ms_pack<W> value = ms_load_pack<W>(x, i);
#pragma unroll
        for (int j = 0; j < W; j++) value.x[j] = ms_exact_formulas::ms_formula_mul(value.x[j], inverse);
        ms_store_pack<W>(y, i, value);
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    const ms_inverse_norm_attributes *attributes = &call->attributes->inverse_norm;
    ms_matrix_shape matrix = ms_shape_matrix(&x->shape);
    int64_t size = matrix.rows * matrix.columns;
    scale_op<T> op = {(const T *)x->data, (const float *)call->in[1].data,
                      (T *)y->data,       (unsigned int)size,
                      attributes->factor, attributes->epsilon};
    const int width = scale_op<T>::WIDTH;
    return ms_run_elementwise(call, op, x->count, ms_is_packs(x, size, width) && ms_is_packs(y, size, width));
}

extern "C" ms_status ms_cuda_scale_by_inverse_norm(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->out[0].dtype, run, call);
}

extern "C" size_t ms_cuda_scale_by_inverse_norm_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
