// cross_entropy, per row x [V] of logits with target t: m = max(x), p = exp(x - m), l = sum(p) by the reduction rule;
// loss = (m + log l) - x[t];  dlogits = scale (p (1/l)), at t scale (p (1/l) - 1).  Target -1: both are 0.  dlogits may
// be the logits, where both are f32.  A target outside of [-1, V) is reported, and its row is left as it is.  Definition:
// backend/cpu/cross_entropy.c.
//
// A thread block works on one row.  `exact`: three passes, for the maximum, the sum (each warp sums blocks of 4096
// exponentials) and the gradient.  `fast`: two, the first for the maximum and the sum that belongs to it (Milakov &
// Gimelshein 2018), which keeps the row in shared memory for the second, where it fits.
#include "backend/cuda/ops/quad.cuh"
#include "backend/cuda/ops/reduce.cuh"
#include "backend/cuda/ops/formulas.cuh"

enum { THREADS = 512, WARPS = THREADS / 32, FAST_THREADS = 1024, FAST_WARPS = FAST_THREADS / 32 };

// D: of dlogits.
template <class D> struct cross_entropy_job {
    const float *logits;
    const int *targets;
    float *losses; // NULL: not wanted
    D *dlogits;    // NULL: not wanted
    unsigned int columns;
    float scale;
    ms_cuda_fault *fault;
    unsigned int node;
    bool keeps_row; // in dynamic shared memory, which is that large
};

// Calls use(i, value) for the thread's packs of the row x, of which N are fetched ahead (reduce.cuh says why counters are
// signed).  `use` may write where the pack was.
template <int N, int W, int STRIDE, class Use>
static __device__ __forceinline__ void walk_row(const float *x, int i, int n, Use use) {
#pragma unroll 1
    for (; i + (N - 1) * STRIDE < n; i += N * STRIDE) {
        ms_pack<W> value[N];
#pragma unroll
        for (int k = 0; k < N; k++) value[k] = ms_load_pack<W>(x, (unsigned int)(i + k * STRIDE));
#pragma unroll
        for (int k = 0; k < N; k++) use((unsigned int)(i + k * STRIDE), value[k]);
    }
    if constexpr (N > 1) walk_row<N / 2, W, STRIDE>(x, i, n, use);
}

// Any order gives the same maximum; a NaN may be lost here but comes back through the sum.
template <int W> static __device__ __forceinline__ float row_maximum(const float *x, unsigned int n) {
    MS_SHARED(float, maxima, [WARPS]);
    float most = x[0];
    walk_row<8, W, THREADS * W>(x, (int)(threadIdx.x * W), (int)n, [&most](unsigned int, const ms_pack<W> &value) {
#pragma unroll
        for (int j = 0; j < W; j++) most = value.x[j] > most ? value.x[j] : most;
    });
    for (int distance = 16; distance > 0; distance /= 2) {
        float other = __shfl_xor_sync(MS_FULL_WARP, most, distance);
        most = other > most ? other : most;
    }
    if (threadIdx.x % 32 == 0) maxima[threadIdx.x / 32] = most;
    __syncthreads();
    for (int warp = 0; warp < WARPS; warp++) most = maxima[warp] > most ? maxima[warp] : most;
    return most;
}

// Sum of exp(x - m).
static __device__ __forceinline__ float sum_of_exponentials(const float *x, unsigned int n, float m) {
    MS_SHARED(float, sums, [WARPS]);
    unsigned int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    ms_pack<1> level = {{ms_absent()}};
    for (unsigned int first = 0; first < n; first += WARPS * MS_REDUCE_BLOCK) {
        unsigned int begin = first + warp * MS_REDUCE_BLOCK, count = begin < n ? min(n - begin, (unsigned int)MS_REDUCE_BLOCK) : 0;
        const float *terms = x + begin;
        float sum = ms_lane_sum<1>(count, true,
                                   [terms, m](unsigned int i) { return ms_pack<1>{{ms_exp(ms_sub(terms[i], m))}}; });
        if (first > 0) __syncthreads(); // all have read the last sums
        if (lane == 0) sums[warp] = sum;
        __syncthreads();
        for (unsigned int w = 0; w < WARPS && first + w * MS_REDUCE_BLOCK < n; w++)
            ms_level_add(level, sums[w], first / MS_REDUCE_BLOCK + w, lane);
    }
    return ms_lane_tree(level); // of one block: its sum
}

// A maximum and the sum of exp(x - maximum).
struct softmax_part {
    float maximum, sum;
};

// exp(x - maximum), 0 as long as only -inf was seen.
static __device__ __forceinline__ float weight_of(float x, float maximum) {
    return __expf(x - (maximum == __uint_as_float(0xff800000u) ? 0.0f : maximum));
}

static __device__ __forceinline__ softmax_part join(const softmax_part &a, const softmax_part &b) {
    float most = fmaxf(a.maximum, b.maximum);
    // Uncontracted, so that both lanes of a pair get the same bits.
    return {most, ms_add(ms_mul(a.sum, weight_of(a.maximum, most)), ms_mul(b.sum, weight_of(b.maximum, most)))};
}

// Joins the parts of a warp's lanes; all get the whole.
static __device__ __forceinline__ softmax_part join_lanes(softmax_part part) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
        part = join(part, {__shfl_xor_sync(MS_FULL_WARP, part.maximum, distance),
                           __shfl_xor_sync(MS_FULL_WARP, part.sum, distance)});
    return part;
}

// kept NULL: the row is not kept; else each thread finds there what it has put there.
template <int W>
static __device__ __forceinline__ softmax_part row_softmax(const float *x, unsigned int n, float *kept) {
    MS_SHARED(softmax_part, parts, [FAST_WARPS]);
    softmax_part part = {__uint_as_float(0xff800000u), 0.0f};
    walk_row<4, W, FAST_THREADS * W>(
        x, (int)(threadIdx.x * W), (int)n, [&part, kept](unsigned int i, const ms_pack<W> &value) {
            if (kept) ms_store_pack<W>(kept, i, value);
            float most = part.maximum, sum = 0;
#pragma unroll
            for (int j = 0; j < W; j++) most = fmaxf(most, value.x[j]);
#pragma unroll
            for (int j = 0; j < W; j++) sum += weight_of(value.x[j], most);
            part = {most, part.sum * weight_of(part.maximum, most) + sum};
        });
    part = join_lanes(part);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = part;
    __syncthreads();
    return join_lanes(parts[threadIdx.x % 32]);
}

template <int W> static __device__ __forceinline__ void store_gradient(float *p, unsigned int i, const ms_pack<W> &pack) {
    ms_store_pack<W>(p, i, pack);
}
// Four are 8 bytes: a pack of the logits decides.
template <int W> static __device__ __forceinline__ void store_gradient(ms_bf16 *p, unsigned int i, const ms_pack<W> &pack) {
    if constexpr (W == 1) {
        ms_store_element(p, i, pack.x[0]);
    } else {
        static_assert(W == 4, "packs of f32");
        ms_store_quad(p, i, make_float4(pack.x[0], pack.x[1], pack.x[2], pack.x[3]));
    }
}

// The gradient of a row x whose softmax is known.
template <int W, bool FAST, class D>
static __device__ __forceinline__ void write_row(const cross_entropy_job<D> &job, const float *x, unsigned int row,
                                                 unsigned int target, float m, float l) {
    const int stride = W * (FAST ? FAST_THREADS : THREADS);
    float inverse = ms_reciprocal(l), scale = job.scale;
    D *dlogits = job.dlogits + (size_t)row * job.columns;
    walk_row<4, W, stride>(x, (int)(threadIdx.x * W), (int)job.columns, [=](unsigned int i, ms_pack<W> value) {
#pragma unroll
        for (int j = 0; j < W; j++) {
            float q = ms_mul(ms_exp_by<FAST>(ms_sub(value.x[j], m)), inverse);
            value.x[j] = ms_mul(scale, i + j == target ? ms_sub(q, 1.0f) : q);
        }
        store_gradient<W>(dlogits, i, value);
    });
}

template <int W, unsigned int N, class D>
static __device__ __forceinline__ void write_nothing(const cross_entropy_job<D> &job, unsigned int row) {
    if (job.losses && threadIdx.x == 0) job.losses[row] = 0.0f;
    if (!job.dlogits) return;
    for (unsigned int i = threadIdx.x * W; i < job.columns; i += N * W)
        store_gradient<W>(job.dlogits + (size_t)row * job.columns, i, ms_pack_of<W>(0.0f));
}

template <int W, bool FAST, class D>
static __global__ void __launch_bounds__(FAST ? FAST_THREADS : THREADS, 1)
    cross_entropy_kernel(cross_entropy_job<D> job) {
    unsigned int row = blockIdx.x, columns = job.columns;
    int target = job.targets[row];
    if (target < -1 || target >= (int)columns) {
        if (threadIdx.x == 0) ms_report_fault(job.fault, job.node, target);
        return;
    }
    if (target < 0) {
        write_nothing<W, FAST ? FAST_THREADS : THREADS>(job, row);
        return;
    }
    const float *x = job.logits + (size_t)row * columns;
    float x_target = x[target], m, l; // dlogits may be the logits: read before a barrier
    if constexpr (FAST) {
        float *kept = NULL;
        if (job.keeps_row) {
            MS_DYNAMIC_SHARED(float, row_memory);
            kept = row_memory;
        }
        softmax_part whole = row_softmax<W>(x, columns, kept);
        m = whole.maximum;
        l = whole.sum;
        if (kept) x = kept;
    } else {
        m = row_maximum<W>(x, columns);
        l = sum_of_exponentials(x, columns, m);
    }
    if (job.losses && threadIdx.x == 0) job.losses[row] = ms_sub(ms_add(m, ms_log(l)), x_target);
    if (job.dlogits) write_row<W, FAST>(job, x, row, (unsigned int)target, m, l);
}

template <int W, bool FAST, class D> static ms_status launch(const ms_cuda_call *call, cross_entropy_job<D> &job) {
    const size_t row_bytes = job.columns * sizeof(float), static_bytes = FAST_WARPS * sizeof(softmax_part);
    job.keeps_row = FAST && job.dlogits && row_bytes + static_bytes <= call->limits->shared_optin_bytes;
    size_t bytes = job.keeps_row ? row_bytes : 0;
    MS_TRY(ms_allow_shared_bytes(cross_entropy_kernel<W, FAST, D>, bytes));
    MS_LAUNCH((cross_entropy_kernel<W, FAST, D>), (unsigned int)call->in[1].count, FAST ? FAST_THREADS : THREADS, bytes,
              call->stream, job);
    return ms_cuda_launched(call);
}

template <class D> static ms_status run(const ms_cuda_call *call) {
    const ms_operand *logits = &call->in[0], *losses = &call->out[0], *dlogits = &call->out[1];
    int64_t columns = logits->shape.dim[1];
    cross_entropy_job<D> job = {(const float *)logits->data,
                                (const int *)call->in[1].data,
                                (float *)losses->data,
                                (D *)dlogits->data,
                                (unsigned int)columns,
                                call->attributes->cross_entropy.scale,
                                call->fault,
                                call->node,
                                false};
    bool packs = ms_is_packs(logits, columns, 4) && ms_is_packs(dlogits, columns, 4);
    if (call->numerics == MS_NUMERICS_FAST) return packs ? launch<4, true>(call, job) : launch<1, true>(call, job);
    return packs ? launch<4, false>(call, job) : launch<1, false>(call, job);
}

extern "C" ms_status ms_cuda_cross_entropy(const ms_cuda_call *call) {
    int64_t columns = call->in[0].shape.dim[1];
    if (!call->out[0].data && !call->out[1].data) return MS_OK;
    if (columns > (int64_t)MS_REDUCE_BLOCK * MS_REDUCE_BLOCK)
        return MS_FAIL(MS_UNSUPPORTED, "cuda: cross_entropy: rows of %lld numbers, at most %d are possible",
                       (long long)columns, MS_REDUCE_BLOCK * MS_REDUCE_BLOCK);
    *call->fault_limit = columns;
    return MS_BY_DTYPE(call->attributes->cross_entropy.dtype, run, call);
}

extern "C" size_t ms_cuda_cross_entropy_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
