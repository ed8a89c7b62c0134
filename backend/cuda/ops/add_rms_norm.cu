// add_rms_norm: s = x0 + x1, then y, rstd = rms_norm(s, gain); s may be x0 and y may be x1.  What is normalised is the
// sum before its rounding to bf16.  Definition: backend/cpu/add_rms_norm.c.
#include "backend/cuda/ops/norm.cuh"

template <class T> struct add_rms_norm_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    template <int W> struct item { ms_raw_pack<T, W> x0, x1; };
    const T *x0, *x1;
    const float *gain;
    T *s, *y;    // NULL: not wanted
    float *rstd; // NULL: not wanted
    float epsilon;

    template <int W> __device__ item<W> load(unsigned int row, unsigned int columns, unsigned int c) const {
        unsigned int i = row * columns + c;
        return {ms_fetch_pack<W>(x0, i), ms_fetch_pack<W>(x1, i)};
    }
    template <int W> static __device__ __forceinline__ ms_pack<W> sum_of(const item<W> &kept) {
        return ms_pack_add(ms_widen<W>(kept.x0), ms_widen<W>(kept.x1));
    }
    template <int W> __device__ ms_pack<W> term(unsigned int, const item<W> &kept) const {
        ms_pack<W> value = sum_of<W>(kept);
        return ms_pack_mul(value, value);
    }
    __device__ float finish(unsigned int row, unsigned int columns, float sum, bool is_first) const {
        float number = ms_norm_rstd(sum, columns, epsilon);
        if (rstd && is_first) rstd[row] = number;
        return number;
    }
    template <int W>
    __device__ void result(unsigned int row, unsigned int columns, unsigned int c, const item<W> &kept,
                           float number) const {
        unsigned int i = row * columns + c;
        ms_pack<W> value = sum_of<W>(kept);
        if (s) ms_store_pack<W>(s, i, value);
        if (y) ms_store_pack<W>(y, i, ms_norm_apply(value, ms_load_pack<W>(gain, c), number));
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *x0 = &call->in[0], *x1 = &call->in[1], *gain = &call->in[2];
    const ms_operand *s = &call->out[0], *y = &call->out[1];
    int64_t rows = x0->shape.dim[0], columns = x0->shape.dim[1];
    add_rms_norm_op<T> op = {
        (const T *)x0->data, (const T *)x1->data,        (const float *)gain->data,     (T *)s->data,
        (T *)y->data,        (float *)call->out[2].data, call->attributes->norm.epsilon};
    const int width = add_rms_norm_op<T>::WIDTH;
    bool packs = ms_is_packs(x0, columns, width) && ms_is_packs(x1, columns, width) &&
                 ms_is_packs(gain, columns, width) && ms_is_packs(s, columns, width) && ms_is_packs(y, columns, width);
    return ms_run_norm(call, op, rows, columns, packs);
}

extern "C" ms_status ms_cuda_add_rms_norm(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data && !call->out[2].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_add_rms_norm_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
