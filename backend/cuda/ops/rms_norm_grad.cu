// rms_norm_grad: per row s = mean((dy gain) (x rstd)), dx = acc + ((dy gain) - (x rstd) s) rstd; dgain[c] = sum over
// rows of dy (x rstd); dx may be acc.  Definition: backend/cpu/rms_norm_grad.c.
#include "backend/cuda/ops/columns.cuh"
#include "backend/cuda/ops/norm.cuh"

template <class T> struct dx_op {
    enum { WIDTH = MS_PACK_WIDTH(T) };
    template <int W> struct item {
        ms_raw_pack<T, W> x, dy, acc; // acc: x, where it is absent, so that the load needs no branch
        ms_pack<W> gain;
    };
    const T *x;
    const float *gain, *rstd;
    const T *dy, *acc; // acc NULL: absent
    T *dx;

    template <int W> __device__ item<W> load(unsigned int row, unsigned int columns, unsigned int c) const {
        unsigned int i = row * columns + c;
        return {ms_fetch_pack<W>(x, i), ms_fetch_pack<W>(dy, i), ms_fetch_pack<W>(acc ? acc : x, i),
                ms_load_pack<W>(gain, c)};
    }
    template <int W> __device__ __forceinline__ ms_norm_grad_terms<W> terms(unsigned int row, const item<W> &kept) const {
        return {ms_pack_scale(ms_widen<W>(kept.x), rstd[row]), ms_pack_mul(ms_widen<W>(kept.dy), kept.gain)};
    }
    template <int W> __device__ ms_pack<W> term(unsigned int row, const item<W> &kept) const {
        ms_norm_grad_terms<W> both = terms<W>(row, kept);
        return ms_pack_mul(both.t, both.n);
    }
    __device__ float finish(unsigned int, unsigned int columns, float sum, bool) const {
        return ms_mul(sum, ms_reciprocal((float)columns));
    }
    template <int W>
    __device__ void result(unsigned int row, unsigned int columns, unsigned int c, const item<W> &kept, float s) const {
        unsigned int i = row * columns + c;
        ms_pack<W> value = ms_norm_grad_result(terms<W>(row, kept), s, rstd[row]);
        if (acc) value = ms_pack_add(ms_widen<W>(kept.acc), value);
        ms_store_pack<W>(dx, i, value);
    }
};

template <class T> struct dgain_op {
    const T *x, *dy;
    const float *rstd;

    template <int W> __device__ ms_pack<W> term(unsigned int row, unsigned int columns, unsigned int c) const {
        unsigned int i = row * columns + c;
        return ms_pack_mul(ms_load_pack<W>(dy, i), ms_pack_scale(ms_load_pack<W>(x, i), rstd[row]));
    }
};

template <class T> static ms_status run_dgain(const ms_cuda_call *call, int64_t rows, int64_t columns) {
    const ms_operand *x = &call->in[0], *dy = &call->in[3], *dgain = &call->out[1];
    const int width = MS_PACK_WIDTH(T);
    bool packs =
        ms_is_packs(x, columns, width) && ms_is_packs(dy, columns, width) && ms_is_packs(dgain, columns, width);
    dgain_op<T> op = {(const T *)x->data, (const T *)dy->data, (const float *)call->in[2].data};
    float *y = (float *)dgain->data, *workspace = (float *)call->workspace;
    return packs ? ms_run_columns<width>(call, op, y, workspace, rows, columns)
                 : ms_run_columns<1>(call, op, y, workspace, rows, columns);
}

template <class T> static ms_status run_dx(const ms_cuda_call *call, int64_t rows, int64_t columns) {
    const ms_operand *x = &call->in[0], *gain = &call->in[1], *dy = &call->in[3], *acc = &call->in[4];
    const ms_operand *dx = &call->out[0];
    const int width = MS_PACK_WIDTH(T);
    bool packs = ms_is_packs(x, columns, width) && ms_is_packs(gain, columns, width) &&
                 ms_is_packs(dy, columns, width) && ms_is_packs(acc, columns, width) && ms_is_packs(dx, columns, width);
    dx_op<T> op = {(const T *)x->data,  (const float *)gain->data, (const float *)call->in[2].data,
                   (const T *)dy->data, (const T *)acc->data,      (T *)dx->data};
    return ms_run_norm(call, op, rows, columns, packs);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    int64_t rows = call->in[0].shape.dim[0], columns = call->in[0].shape.dim[1];
    if (call->out[1].data) MS_TRY(run_dgain<T>(call, rows, columns));
    return call->out[0].data ? run_dx<T>(call, rows, columns) : MS_OK;
}

extern "C" ms_status ms_cuda_rms_norm_grad(const ms_cuda_call *call) {
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_rms_norm_grad_workspace(const ms_cuda_call *call) {
    return ms_columns_workspace(call->in[0].shape.dim[0], call->in[0].shape.dim[1]);
}
