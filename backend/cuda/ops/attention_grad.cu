// attention_grad: dq, dk, dv from q, k, v, o, lse, do.  Definition: backend/cpu/attention_grad.c.
#include "backend/cuda/ops/attention.cuh"
#include "backend/cuda/ops/reduce.cuh"

enum { THREADS = 256 };

// 32 / W threads a row of a head: delta[batch, head, i] from row [batch, i, head].
template <int W, class T>
static __global__ void __launch_bounds__(THREADS, 1)
    delta_kernel(const T *o, const T *d_o, float *delta, unsigned int n_rows, unsigned int heads, unsigned int sequence,
                 unsigned int head_size) {
    const unsigned int threads = MS_LANES / W;
    unsigned int row = (blockIdx.x * THREADS + threadIdx.x) / threads, at = row * head_size;
    bool active = row < n_rows;
    float sum = ms_lane_sum<W>(head_size, active, [o, d_o, at](unsigned int i) {
        return ms_pack_mul(ms_load_pack<W>(d_o, at + i), ms_load_pack<W>(o, at + i));
    });
    if (!active || threadIdx.x % threads != 0) return;
    unsigned int head = row % heads, token = row / heads, batch = token / sequence, i = token % sequence;
    delta[(batch * heads + head) * sequence + i] = sum;
}

template <int W, class T> static ms_status launch_delta(const ms_cuda_call *call, float *delta) {
    const ms_attention_attributes *a = &call->attributes->attention;
    int64_t n_rows = call->in[0].count / a->head_size;
    MS_LAUNCH((delta_kernel<W, T>), ms_thread_blocks(n_rows * (MS_LANES / W), THREADS), THREADS, 0, call->stream,
              (const T *)call->in[3].data, (const T *)call->in[5].data, delta, (unsigned int)n_rows,
              (unsigned int)a->heads, (unsigned int)a->sequence, (unsigned int)a->head_size);
    return ms_cuda_launched(call);
}

template <class T> static ms_status compute_delta(const ms_cuda_call *call, float *delta) {
    int64_t head_size = call->attributes->attention.head_size;
    const int width = MS_PACK_WIDTH(T);
    bool packs = ms_is_packs(&call->in[3], head_size, width) && ms_is_packs(&call->in[5], head_size, width);
    return packs ? launch_delta<width, T>(call, delta) : launch_delta<1, T>(call, delta);
}

extern "C" ms_status ms_cuda_attention_grad(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data && !call->out[2].data) return MS_OK;
    float *delta = static_cast<float *>(call->workspace);
    MS_TRY(MS_BY_DTYPE(call->in[0].dtype, compute_delta, call, delta));
    bool fast = call->numerics == MS_NUMERICS_FAST && ms_cuda_fast_attention_grad_takes(call);
    return fast ? ms_cuda_fast_attention_grad(call, delta) : ms_cuda_exact_attention_grad(call, delta);
}

extern "C" size_t ms_cuda_attention_grad_workspace(const ms_cuda_call *call) {
    return (size_t)call->in[4].count * sizeof(float);
}
