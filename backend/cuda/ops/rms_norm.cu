// rms_norm: rstd = rsqrt(sum(x^2) (1/C) + epsilon), y = (x rstd) gain; y may be x.  Definition: backend/cpu/rms_norm.c.
#include "backend/cuda/ops/norm.cuh"

template <class T> struct rms_norm_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    template <int W> struct item { ms_raw_pack<T, W> x; };
    const T *x;
    const float *gain;
    T *y;        // NULL: not wanted
    float *rstd; // NULL: not wanted
    float epsilon;

    template <int W> __device__ item<W> load(unsigned int row, unsigned int columns, unsigned int c) const {
        return {ms_fetch_pack<W>(x, row * columns + c)};
    }
    template <int W> __device__ ms_pack<W> term(unsigned int, const item<W> &kept) const {
        ms_pack<W> value = ms_widen<W>(kept.x);
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
        if (y) ms_store_pack<W>(y, row * columns + c, ms_norm_apply(ms_widen<W>(kept.x), ms_load_pack<W>(gain, c), number));
    }
};

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *gain = &call->in[1], *y = &call->out[0];
    int64_t rows = x->shape.dim[0], columns = x->shape.dim[1];
    rms_norm_op<T> op = {(const T *)x->data, (const float *)gain->data, (T *)y->data, (float *)call->out[1].data,
                         call->attributes->norm.epsilon};
    const int width = rms_norm_op<T>::WIDTH;
    bool packs = ms_is_packs(x, columns, width) && ms_is_packs(gain, columns, width) && ms_is_packs(y, columns, width);
    return ms_run_norm(call, op, rows, columns, packs);
}

extern "C" ms_status ms_cuda_rms_norm(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_rms_norm_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
