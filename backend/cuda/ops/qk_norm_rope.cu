// qk_norm_rope: per head, RMS norm with gain when `normalise`, then rotary embedding; y may be x.  Definition:
// backend/cpu/qk_norm_rope.c.
//
// 32 / W threads work on a head: each lane of the sum is one of theirs.  Then each pair of the rotation is read again,
// from a cache, and written by one thread.
#include "backend/cuda/ops/norm.cuh"
#include "backend/cuda/ops/rope.cuh"

enum { THREADS = 128 };

template <class T> struct rope_job {
    ms_rope_heads rope;
    const T *x;
    const float *gain;   // NULL: not normalised
    T *y;                // NULL: not wanted
    float *rstd;         // NULL: not wanted
    unsigned int n_rows; // heads of all tokens
    float epsilon;
};

template <int W> struct pairs { ms_pack<W> a, b; };

// Pairs k to k + W - 1 of a head's numbers.
template <int W, bool INTERLEAVED, class T>
static __device__ __forceinline__ pairs<W> load_pairs(const T *x, unsigned int k, unsigned int half_size) {
    if constexpr (!INTERLEAVED) return {ms_load_pack<W>(x, k), ms_load_pack<W>(x, k + half_size)};
    ms_pack<W> first = ms_load_pack<W>(x, 2 * k), second = ms_load_pack<W>(x, 2 * k + W);
    if constexpr (W == 1) {
        return {first, second};
    } else {
        pairs<W> apart;
#pragma unroll
        for (int j = 0; j < W; j++) {
            apart.a.x[j] = j < W / 2 ? first.x[2 * j % W] : second.x[2 * j % W];
            apart.b.x[j] = j < W / 2 ? first.x[(2 * j + 1) % W] : second.x[(2 * j + 1) % W];
        }
        return apart;
    }
}

template <int W, bool INTERLEAVED, class T>
static __device__ __forceinline__ void store_pairs(T *y, unsigned int k, unsigned int half_size, const pairs<W> &value) {
    pairs<W> stored = value;
    if (W > 1 && INTERLEAVED) {
#pragma unroll
        for (int j = 0; j < W; j++) {
            stored.a.x[j] = j % 2 == 0 ? value.a.x[j / 2] : value.b.x[j / 2];
            stored.b.x[j] = j % 2 == 0 ? value.a.x[(W + j) / 2] : value.b.x[(W + j) / 2];
        }
    }
    ms_store_pack<W>(y, INTERLEAVED ? 2 * k : k, stored.a);
    ms_store_pack<W>(y, INTERLEAVED ? 2 * k + W : k + half_size, stored.b);
}

template <int W, bool INTERLEAVED, class T>
static __device__ __forceinline__ void rotate(const rope_job<T> &job, unsigned int row, float rstd, unsigned int k) {
    unsigned int size = job.rope.size, half_size = size / 2;
    const float *angles = ms_rope_angles(job.rope, row);
    ms_pack<W> cosine = ms_load_pack<W>(angles, k), sine = ms_load_pack<W>(angles + half_size, k);
    pairs<W> value = load_pairs<W, INTERLEAVED>(job.x + row * size, k, half_size);
    if (job.gain) {
        pairs<W> gain = load_pairs<W, INTERLEAVED>(job.gain, k, half_size);
        value.a = ms_norm_apply(value.a, gain.a, rstd);
        value.b = ms_norm_apply(value.b, gain.b, rstd);
    }
    pairs<W> turned;
#pragma unroll
    for (int j = 0; j < W; j++) {
        turned.a.x[j] = ms_sub(ms_mul(value.a.x[j], cosine.x[j]), ms_mul(value.b.x[j], sine.x[j]));
        turned.b.x[j] = ms_add(ms_mul(value.a.x[j], sine.x[j]), ms_mul(value.b.x[j], cosine.x[j]));
    }
    store_pairs<W, INTERLEAVED>(job.y + row * size, k, half_size, turned);
}

template <int W, bool INTERLEAVED, class T>
static __global__ void __launch_bounds__(THREADS, 1) qk_norm_rope_kernel(rope_job<T> job) {
    const unsigned int threads = MS_LANES / W;
    unsigned int thread = threadIdx.x % threads, row = (blockIdx.x * THREADS + threadIdx.x) / threads;
    unsigned int size = job.rope.size;
    bool has_row = row < job.n_rows;
    const T *x = job.x + (has_row ? row * size : 0);
    float rstd = 1.0f;
    if (job.gain) {
        float sum = ms_lane_sum<W>(size, has_row, [x](unsigned int i) {
            ms_pack<W> value = ms_load_pack<W>(x, i);
            return ms_pack_mul(value, value);
        });
        rstd = ms_norm_rstd(sum, size, job.epsilon);
        __syncwarp(); // y may be x: all of the head is read before any of it is written
    }
    if (!has_row) return;
    if (job.rstd && thread == 0) job.rstd[row] = rstd;
    if (!job.y) return;
    for (unsigned int k = thread * W; k < size / 2; k += MS_LANES) rotate<W, INTERLEAVED>(job, row, rstd, k);
}

template <int W, bool INTERLEAVED, class T>
static ms_status launch(const ms_cuda_call *call, const rope_job<T> &job) {
    MS_LAUNCH((qk_norm_rope_kernel<W, INTERLEAVED, T>), ms_thread_blocks((int64_t)job.n_rows * (MS_LANES / W), THREADS), THREADS, 0,
              call->stream, job);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *table = &call->in[1], *gain = &call->in[2], *y = &call->out[0];
    const ms_rope_attributes *rope = &call->attributes->rope;
    rope_job<T> job = {{(const float *)table->data, (unsigned int)rope->heads, (unsigned int)rope->head_size,
                        (unsigned int)rope->sequence},
                       (const T *)x->data,
                       (const float *)gain->data,
                       (T *)y->data,
                       (float *)call->out[1].data,
                       (unsigned int)(x->count / rope->head_size),
                       rope->epsilon};
    const int width = MS_PACK_WIDTH(T);
    int64_t half_size = rope->head_size / 2;
    bool packs = ms_is_packs(x, half_size, width) && ms_is_packs(table, half_size, width) &&
                 ms_is_packs(gain, half_size, width) && ms_is_packs(y, half_size, width);
    if (rope->interleaved) return packs ? launch<width, true>(call, job) : launch<1, true>(call, job);
    return packs ? launch<width, false>(call, job) : launch<1, false>(call, job);
}

extern "C" ms_status ms_cuda_qk_norm_rope(const ms_cuda_call *call) {
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_qk_norm_rope_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
