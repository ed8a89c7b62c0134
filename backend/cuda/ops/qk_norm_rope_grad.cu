// qk_norm_rope_grad: per head, du = transposed rotation of dy; dx = RMS-norm gradient of du when normalised, else du;
// dgain[d] = sum over tokens and heads of du (x rstd).  Definition: backend/cpu/qk_norm_rope_grad.c.
//
// dx: 32 / W threads work on a head, each lane of the sum being one of theirs; what they have read they read again,
// from a cache.
#include "backend/cuda/ops/columns.cuh"
#include "backend/cuda/ops/norm.cuh"
#include "backend/cuda/ops/rope.cuh"

enum { THREADS = 128 };

template <class T, bool INTERLEAVED> struct grad_job {
    ms_rope_heads rope;
    const T *x, *dy;
    const float *rstd, *gain; // gain NULL: not normalised
    T *dx;
    unsigned int n_rows; // heads of all tokens

    template <int W> __device__ __forceinline__ ms_pack<W> du(unsigned int row, unsigned int i) const {
        return ms_rope_transposed<W, INTERLEAVED>(rope, row, dy + row * rope.size, i);
    }
    template <int W> __device__ __forceinline__ ms_norm_grad_terms<W> terms(unsigned int row, unsigned int i) const {
        return {ms_pack_scale(ms_load_pack<W>(x, row * rope.size + i), rstd[row]),
                ms_pack_mul(du<W>(row, i), ms_load_pack<W>(gain, i))};
    }
    // Of dgain, for columns.cuh.
    template <int W> __device__ ms_pack<W> term(unsigned int row, unsigned int columns, unsigned int i) const {
        return ms_pack_mul(du<W>(row, i), ms_pack_scale(ms_load_pack<W>(x, row * columns + i), rstd[row]));
    }
};

template <int W, class T, bool INTERLEAVED>
static __global__ void __launch_bounds__(THREADS, 1) dx_kernel(grad_job<T, INTERLEAVED> job) {
    const unsigned int threads = MS_LANES / W;
    unsigned int thread = threadIdx.x % threads, row = (blockIdx.x * THREADS + threadIdx.x) / threads;
    unsigned int size = job.rope.size;
    bool has_row = row < job.n_rows;
    float s = 0.0f;
    if (job.gain) {
        float sum = ms_lane_sum<W, 2>(size, has_row, [&job, row](unsigned int i) { // a head of 64 has two rounds
            ms_norm_grad_terms<W> terms = job.template terms<W>(row, i);
            return ms_pack_mul(terms.t, terms.n);
        });
        s = ms_mul(sum, ms_reciprocal((float)size));
    }
    if (!has_row) return;
    for (unsigned int i = thread * W; i < size; i += MS_LANES) {
        ms_pack<W> value = job.gain ? ms_norm_grad_result(job.template terms<W>(row, i), s, job.rstd[row])
                                    : job.template du<W>(row, i);
        ms_store_pack<W>(job.dx + row * size, i, value);
    }
}

template <int W, class T, bool INTERLEAVED>
static ms_status launch(const ms_cuda_call *call, const grad_job<T, INTERLEAVED> &job) {
    float *dgain = (float *)call->out[1].data;
    if (job.gain && dgain)
        MS_TRY(ms_run_columns<W>(call, job, dgain, (float *)call->workspace, job.n_rows, job.rope.size));
    if (!job.dx) return MS_OK;
    MS_LAUNCH((dx_kernel<W, T, INTERLEAVED>), ms_thread_blocks((int64_t)job.n_rows * (MS_LANES / W), THREADS), THREADS, 0, call->stream,
              job);
    return ms_cuda_launched(call);
}

template <class T, bool INTERLEAVED> static ms_status run_job(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *table = &call->in[1], *dy = &call->in[3], *gain = &call->in[4];
    const ms_operand *dx = &call->out[0];
    const ms_rope_attributes *rope = &call->attributes->rope;
    grad_job<T, INTERLEAVED> job = {{(const float *)table->data, (unsigned int)rope->heads, (unsigned int)rope->head_size,
                                     (unsigned int)rope->sequence},
                                    (const T *)x->data,
                                    (const T *)dy->data,
                                    (const float *)call->in[2].data,
                                    (const float *)gain->data,
                                    (T *)dx->data,
                                    (unsigned int)(x->count / rope->head_size)};
    const int width = MS_PACK_WIDTH(T);
    int64_t half_size = rope->head_size / 2;
    bool packs = ms_is_packs(x, half_size, width) && ms_is_packs(table, half_size, width) &&
                 ms_is_packs(dy, half_size, width) && ms_is_packs(gain, half_size, width) &&
                 ms_is_packs(dx, half_size, width) && ms_is_packs(&call->out[1], half_size, width);
    return packs ? launch<width>(call, job) : launch<1>(call, job);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    return call->attributes->rope.interleaved ? run_job<T, true>(call) : run_job<T, false>(call);
}

extern "C" ms_status ms_cuda_qk_norm_rope_grad(const ms_cuda_call *call) {
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_qk_norm_rope_grad_workspace(const ms_cuda_call *call) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    return ms_columns_workspace(call->in[0].count / rope->head_size, rope->head_size);
}
