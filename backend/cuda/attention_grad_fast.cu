// Fast gradient of attention, deterministic: every sum has one owner.  Blocks of 64 queries walk over the keys that
// they see and make dq; blocks of 64 keys walk over the heads of their group and the queries that see them and make dk
// and dv.  Both make the scores again from lse (Dao et al. 2022).
#include "backend/cuda/attention_warp.cuh"

struct fast_attention_grad {
    const void *q, *k, *v, *d_o;
    const float *lse, *delta; // [batch * heads, sequence]
    void *dq, *dk, *dv;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles;
    float scale; // log2(e) of the shape's: powers are of 2
};

// Shared memory: rows of both own tensors, rows and pairs of both others.  Pairs of f32 are rows with the rows' stride.
template <class T, int SIZE> struct grad_tile {
    using layout = warp_tile<T, SIZE>;
    static constexpr int N = sizeof(T) == 4 && SIZE == 128 ? 16 : 32; // columns at a time
    static constexpr int OWN_WORDS = layout::row_words(WARP_ROWS), ROW_WORDS = layout::row_words(N);
    static constexpr int PAIR_WORDS = layout::PER_WORD == 2 ? layout::pair_words(N) : 0;
    static constexpr int PAIR_STRIDE = layout::PER_WORD == 2 ? layout::PAIR_STRIDE : layout::ROW_STRIDE;
    static constexpr size_t BYTES = sizeof(unsigned int) * 2 * (OWN_WORDS + ROW_WORDS + PAIR_WORDS);
};

// Places of the tiles.
struct grad_memory {
    unsigned int *own_a, *own_b, *rows_a, *rows_b, *pairs_a, *pairs_b;
};

template <class T, int SIZE> static __device__ __forceinline__ grad_memory lay_out(unsigned int *base) {
    using tile = grad_tile<T, SIZE>;
    grad_memory memory;
    memory.own_a = base;
    memory.own_b = memory.own_a + tile::OWN_WORDS;
    memory.rows_a = memory.own_b + tile::OWN_WORDS;
    memory.rows_b = memory.rows_a + tile::ROW_WORDS;
    memory.pairs_a = tile::PAIR_WORDS ? memory.rows_b + tile::ROW_WORDS : memory.rows_a;
    memory.pairs_b = tile::PAIR_WORDS ? memory.pairs_a + tile::PAIR_WORDS : memory.rows_b;
    return memory;
}

// Columns first to first + N - 1 of two tensors: of `a` rows and pairs, of `b` rows and, where asked for, pairs.
template <class T, int SIZE>
static __device__ __forceinline__ void stage_columns(const grad_memory &memory, ms_cuda_head<const T> a,
                                                     ms_cuda_head<const T> b, unsigned int first, bool pairs_of_b,
                                                     const ms_cuda_attention_shape &shape) {
    using tile = grad_tile<T, SIZE>;
    __syncthreads();
    stage_rows<T, SIZE, tile::N>(memory.rows_a, a, first, shape);
    stage_rows<T, SIZE, tile::N>(memory.rows_b, b, first, shape);
    if constexpr (tile::PAIR_WORDS != 0) {
        stage_pairs<T, SIZE, tile::N>(memory.pairs_a, a, first, shape);
        if (pairs_of_b) stage_pairs<T, SIZE, tile::N>(memory.pairs_b, b, first, shape);
    }
    __syncthreads();
}

static __device__ __forceinline__ float number_of(const float *numbers, unsigned int i, unsigned int sequence) {
    return i < sequence ? numbers[i] : 0.0f;
}

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS) queries_kernel(fast_attention_grad p) {
    const int N = grad_tile<T, SIZE>::N;
    MS_DYNAMIC_SHARED(unsigned int, base);
    const grad_memory memory = lay_out<T, SIZE>(base);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, head = blockIdx.x % n_heads % shape.heads;
    unsigned int batch = blockIdx.x % n_heads / shape.heads, kv_head = head / (shape.heads / shape.kv_heads);
    unsigned int first_row = (p.n_tiles - 1 - blockIdx.x / n_heads) * WARP_ROWS; // longest walks first
    unsigned int end = min(first_row + WARP_ROWS, shape.sequence), at = (batch * shape.heads + head) * shape.sequence;
    ms_cuda_head<const T> k = ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head);
    ms_cuda_head<const T> v = ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head);
    float dq[SIZE / 8][4], lse[2], delta[2];
#pragma unroll
    for (int which = 0; which < 2; which++) {
        unsigned int row = first_row + fragment_row(2 * which);
        lse[which] = number_of(p.lse + at, row, shape.sequence) * LOG2_E;
        delta[which] = number_of(p.delta + at, row, shape.sequence);
    }
    clear(dq);
    stage_rows<T, SIZE, WARP_ROWS>(memory.own_a, ms_head_of((const T *)p.q, shape, shape.heads, batch, head), first_row,
                                   shape);
    stage_rows<T, SIZE, WARP_ROWS>(memory.own_b, ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head),
                                   first_row, shape);
    for (unsigned int first = 0; first < end; first += N) {
        stage_columns<T, SIZE>(memory, k, v, first, false, shape);
        float weight[N / 8][4], dp[N / 8][4];
        products<T, SIZE, N>(weight, memory.own_a, memory.rows_a);
        products<T, SIZE, N>(dp, memory.own_b, memory.rows_b);
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                bool visible = first + fragment_column(n, e) <= first_row + fragment_row(e);
                float probability = exp2f(fmaf(weight[n][e], p.scale, -lse[e / 2]));
                weight[n][e] = visible ? probability * (dp[n][e] - delta[e / 2]) : 0.0f;
            }
        weigh<SIZE, N>(dq, weight, memory.pairs_a, grad_tile<T, SIZE>::PAIR_STRIDE, (const T *)NULL);
    }
    store_rows<SIZE>(ms_head_of((T *)p.dq, shape, shape.heads, batch, head), first_row, dq, shape.scale, shape.scale,
                     shape);
}

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS, 1) keys_kernel(fast_attention_grad p) {
    const int N = grad_tile<T, SIZE>::N, STRIDE = grad_tile<T, SIZE>::PAIR_STRIDE;
    MS_DYNAMIC_SHARED(unsigned int, base);
    const grad_memory memory = lay_out<T, SIZE>(base);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.kv_heads, kv_head = blockIdx.x % n_heads % shape.kv_heads;
    unsigned int batch = blockIdx.x % n_heads / shape.kv_heads, group = shape.heads / shape.kv_heads;
    unsigned int first_row =
        blockIdx.x / n_heads * WARP_ROWS; // early keys are seen by most queries: longest walks first
    float dk[SIZE / 8][4], dv[SIZE / 8][4];
    clear(dk);
    clear(dv);
    stage_rows<T, SIZE, WARP_ROWS>(memory.own_a, ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head),
                                   first_row, shape);
    stage_rows<T, SIZE, WARP_ROWS>(memory.own_b, ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head),
                                   first_row, shape);
    for (unsigned int head = kv_head * group; head < (kv_head + 1) * group; head++) {
        ms_cuda_head<const T> q = ms_head_of((const T *)p.q, shape, shape.heads, batch, head);
        ms_cuda_head<const T> d_o = ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head);
        unsigned int at = (batch * shape.heads + head) * shape.sequence;
        for (unsigned int first = first_row; first < shape.sequence; first += N) {
            stage_columns<T, SIZE>(memory, q, d_o, first, true, shape);
            float weight[N / 8][4], dp[N / 8][4];
            products<T, SIZE, N>(weight, memory.own_a, memory.rows_a);
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    unsigned int query = first + fragment_column(n, e);
                    bool visible = first_row + fragment_row(e) <= query && query < shape.sequence;
                    float lse = number_of(p.lse + at, query, shape.sequence) * LOG2_E;
                    weight[n][e] = visible ? exp2f(fmaf(weight[n][e], p.scale, -lse)) : 0.0f;
                }
            weigh<SIZE, N>(dv, weight, memory.pairs_b, STRIDE, (const T *)NULL);
            products<T, SIZE, N>(dp, memory.own_b, memory.rows_b);
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    unsigned int query = first + fragment_column(n, e);
                    bool visible = first_row + fragment_row(e) <= query && query < shape.sequence;
                    float difference = dp[n][e] - number_of(p.delta + at, query, shape.sequence);
                    weight[n][e] = visible ? weight[n][e] * difference : 0.0f;
                }
            weigh<SIZE, N>(dk, weight, memory.pairs_a, STRIDE, (const T *)NULL);
        }
    }
    if (p.dk)
        store_rows<SIZE>(ms_head_of((T *)p.dk, shape, shape.kv_heads, batch, kv_head), first_row, dk, shape.scale,
                         shape.scale, shape);
    if (p.dv)
        store_rows<SIZE>(ms_head_of((T *)p.dv, shape, shape.kv_heads, batch, kv_head), first_row, dv, 1.0f, 1.0f,
                         shape);
}

template <class T> static size_t shared_bytes(int64_t head_size) {
    return head_size <= 32   ? grad_tile<T, 32>::BYTES
           : head_size <= 64 ? grad_tile<T, 64>::BYTES
                             : grad_tile<T, 128>::BYTES;
}

template <class T, int SIZE> static ms_status launch(const ms_cuda_call *call, const fast_attention_grad &p) {
    const size_t bytes = grad_tile<T, SIZE>::BYTES;
    if (p.dq) {
        MS_TRY(allow_shared_bytes(queries_kernel<T, SIZE>, bytes));
        MS_LAUNCH((queries_kernel<T, SIZE>), p.shape.batch * p.shape.heads * p.n_tiles, WARP_THREADS, bytes,
                  call->stream, p);
        MS_TRY(ms_cuda_launched(call));
    }
    if (!p.dk && !p.dv) return MS_OK;
    MS_TRY(allow_shared_bytes(keys_kernel<T, SIZE>, bytes));
    MS_LAUNCH((keys_kernel<T, SIZE>), p.shape.batch * p.shape.kv_heads * p.n_tiles, WARP_THREADS, bytes, call->stream,
              p);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run(const ms_cuda_call *call, const fast_attention_grad &p) {
    if (p.shape.head_size <= 32) return launch<T, 32>(call, p);
    return p.shape.head_size <= 64 ? launch<T, 64>(call, p) : launch<T, 128>(call, p);
}

bool ms_cuda_fast_attention_grad_takes(const ms_cuda_call *call) {
    int64_t head_size = call->attributes->attention.head_size;
    return head_size <= MAX_WARP_SIZE &&
           MS_BY_DTYPE(call->in[0].dtype, shared_bytes, head_size) <= call->limits->shared_optin_bytes;
}

ms_status ms_cuda_fast_attention_grad(const ms_cuda_call *call, const float *delta) {
    fast_attention_grad p;
    p.q = call->in[0].data;
    p.k = call->in[1].data;
    p.v = call->in[2].data;
    p.lse = static_cast<const float *>(call->in[4].data);
    p.d_o = call->in[5].data;
    p.delta = delta;
    p.dq = call->out[0].data;
    p.dk = call->out[1].data;
    p.dv = call->out[2].data;
    p.shape = ms_cuda_attention_shape_of(call);
    p.n_tiles = ms_blocks(p.shape.sequence, WARP_ROWS);
    p.scale = p.shape.scale * LOG2_E;
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
