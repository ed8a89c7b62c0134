// Fast gradient of attention, deterministic: every sum has one owner.  Thread blocks of 64 queries walk over the keys that
// they see and make dq; thread blocks of 64 keys walk over the heads of their group and the queries that see them and make dk
// and dv.  Both make the scores again from lse (Dao et al. 2022).
#include "backend/cuda/ops/attention_warp.cuh"

struct fast_attention_grad {
    const void *q, *k, *v, *d_o;
    const float *lse, *delta; // [batch * heads, sequence]
    void *dq, *dk, *dv;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles;
    float scale; // log2(e) of the shape's: powers are of 2
};

enum { GRAD_ROWS = 16 * N_WARPS };

// Shared memory: both own tensors, then for each buffer both that are walked over.
template <class T, int SIZE> struct grad_tile {
    using layout = warp_tile<T, SIZE>;
    static constexpr int N = SIZE == 128 ? 16 : 32; // columns at a time
    static constexpr bool KEPT = layout::WORDS <= 32;
    static constexpr int OWN_WORDS = layout::words(GRAD_ROWS), COLUMN_WORDS = layout::words(N);
    static constexpr size_t BYTES = sizeof(unsigned int) * 2 * (OWN_WORDS + layout::BUFFERS * COLUMN_WORDS);
};

// Where the walk is: columns first to first + N - 1 of tensors a and b are in shared memory.
template <class T, int SIZE> struct column_walk {
    using tile = grad_tile<T, SIZE>;
    static constexpr int N = tile::N, BUFFERS = warp_tile<T, SIZE>::BUFFERS;
    unsigned int *base, *columns_a;

    __device__ __forceinline__ const unsigned int *columns_b() const { return columns_a + tile::COLUMN_WORDS; }
    __device__ __forceinline__ void copy(unsigned int *to, ms_cuda_head<const T> a, ms_cuda_head<const T> b,
                                         unsigned int first, const ms_cuda_attention_shape &shape) {
        start_copy<T, SIZE, N>(to, a, first, shape);
        start_copy<T, SIZE, N>(to + tile::COLUMN_WORDS, b, first, shape);
    }
    // Before the first step.  With one buffer each step copies for itself.
    __device__ __forceinline__ void begin(unsigned int *memory, ms_cuda_head<const T> a, ms_cuda_head<const T> b,
                                          unsigned int first, const ms_cuda_attention_shape &shape) {
        base = memory;
        columns_a = memory + (BUFFERS - 1) * 2 * tile::COLUMN_WORDS;
        if (BUFFERS == 2) copy(base, a, b, first, shape);
    }
    // Has the columns from `first` on at hand, and begins to copy those of the next step unless it is at the end.
    __device__ __forceinline__ void step(ms_cuda_head<const T> a, ms_cuda_head<const T> b, unsigned int first,
                                         ms_cuda_head<const T> next_a, ms_cuda_head<const T> next_b,
                                         unsigned int next_first, bool is_last, const ms_cuda_attention_shape &shape) {
        if (BUFFERS == 1) {
            __syncthreads(); // all have done with the columns before
            copy(columns_a, a, b, first, shape);
            finish_copies();
            return;
        }
        finish_copies(); // and all have done with the other buffer
        unsigned int *other = columns_a;
        columns_a = base + (2 * tile::COLUMN_WORDS - (columns_a - base));
        if (!is_last) copy(other, next_a, next_b, next_first, shape);
    }
};

static __device__ __forceinline__ float number_of(const float *numbers, unsigned int i, unsigned int sequence) {
    return i < sequence ? numbers[i] : 0.0f;
}

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS) queries_kernel(fast_attention_grad p) {
    using tile = grad_tile<T, SIZE>;
    const int N = tile::N;
    MS_DYNAMIC_SHARED(unsigned int, own);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, head = blockIdx.x % n_heads % shape.heads;
    unsigned int batch = blockIdx.x % n_heads / shape.heads, kv_head = head / (shape.heads / shape.kv_heads);
    unsigned int first_row = (p.n_tiles - 1 - blockIdx.x / n_heads) * GRAD_ROWS; // longest walks first
    unsigned int end = min(first_row + GRAD_ROWS, shape.sequence), at = (batch * shape.heads + head) * shape.sequence;
    ms_cuda_head<const T> k = ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head);
    ms_cuda_head<const T> v = ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head);
    float dq[1][SIZE / 8][4], lse[2], delta[2];
#pragma unroll
    for (int which = 0; which < 2; which++) {
        unsigned int row = first_row + fragment_row(0, 2 * which);
        lse[which] = number_of(p.lse + at, row, shape.sequence) * LOG2_E;
        delta[which] = number_of(p.delta + at, row, shape.sequence);
    }
    clear(dq[0]);
    start_copy<T, SIZE, GRAD_ROWS>(own, ms_head_of((const T *)p.q, shape, shape.heads, batch, head), first_row, shape);
    start_copy<T, SIZE, GRAD_ROWS>(own + tile::OWN_WORDS, ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head),
                                   first_row, shape);
    column_walk<T, SIZE> walk;
    walk.begin(own + 2 * tile::OWN_WORDS, k, v, 0, shape);
    finish_copies();
    own_rows<T, SIZE, 1, tile::KEPT> queries, slopes;
    queries.take(own);
    slopes.take(own + tile::OWN_WORDS);
    for (unsigned int first = 0; first < end; first += N) {
        walk.step(k, v, first, k, v, first + N, first + N >= end, shape);
        float weight[1][N / 8][4], dp[1][N / 8][4];
        matmul<T, SIZE, N>(weight, queries, walk.columns_a);
        matmul<T, SIZE, N>(dp, slopes, walk.columns_b());
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                float probability = ms_fast_exp2(fmaf(weight[0][n][e], p.scale, -lse[e / 2]));
                weight[0][n][e] = probability * (dp[0][n][e] - delta[e / 2]);
            }
        if (first + N > first_row) {
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    if (first + fragment_column(n, e) > first_row + fragment_row(0, e)) weight[0][n][e] = 0.0f;
        }
        weigh<SIZE, N, 1>(dq, weight, walk.columns_a, (const T *)NULL);
    }
    const float factor[1][2] = {{shape.scale, shape.scale}};
    store_rows<SIZE, 1>(ms_head_of((T *)p.dq, shape, shape.heads, batch, head), first_row, dq, factor, shape);
}

// lse and delta of the queries in a lane's columns.
template <int N> struct column_numbers {
    float lse[N / 8][2], delta[N / 8][2];

    __device__ __forceinline__ void load(const float *all_lse, const float *all_delta, unsigned int first,
                                         unsigned int sequence) {
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                lse[n][e] = number_of(all_lse, first + fragment_column(n, e), sequence) * LOG2_E;
                delta[n][e] = number_of(all_delta, first + fragment_column(n, e), sequence);
            }
    }
};

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS, 1) keys_kernel(fast_attention_grad p) {
    using tile = grad_tile<T, SIZE>;
    const int N = tile::N;
    MS_DYNAMIC_SHARED(unsigned int, own);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.kv_heads, kv_head = blockIdx.x % n_heads % shape.kv_heads;
    unsigned int batch = blockIdx.x % n_heads / shape.kv_heads, group = shape.heads / shape.kv_heads;
    unsigned int first_row =
        blockIdx.x / n_heads * GRAD_ROWS; // early keys are seen by most queries: longest walks first
    float dk[1][SIZE / 8][4], dv[1][SIZE / 8][4];
    clear(dk[0]);
    clear(dv[0]);
    start_copy<T, SIZE, GRAD_ROWS>(own, ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head), first_row,
                                   shape);
    start_copy<T, SIZE, GRAD_ROWS>(own + tile::OWN_WORDS,
                                   ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head), first_row, shape);
    unsigned int head = kv_head * group;
    ms_cuda_head<const T> q = ms_head_of((const T *)p.q, shape, shape.heads, batch, head);
    ms_cuda_head<const T> d_o = ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head);
    column_walk<T, SIZE> walk;
    walk.begin(own + 2 * tile::OWN_WORDS, q, d_o, first_row, shape);
    finish_copies();
    own_rows<T, SIZE, 1, tile::KEPT> keys, values;
    keys.take(own);
    values.take(own + tile::OWN_WORDS);
    while (head < (kv_head + 1) * group) {
        unsigned int at = (batch * shape.heads + head) * shape.sequence;
        ms_cuda_head<const T> next_q = q, next_d_o = d_o; // of the next head
        next_q.data += shape.head_size;
        next_d_o.data += shape.head_size;
        for (unsigned int first = first_row; first < shape.sequence; first += N) {
            bool ends = first + N >= shape.sequence;
            walk.step(q, d_o, first, ends ? next_q : q, ends ? next_d_o : d_o, ends ? first_row : first + N,
                      ends && head + 1 == (kv_head + 1) * group, shape);
            column_numbers<N> queries;
            queries.load(p.lse + at, p.delta + at, first, shape.sequence);
            float weight[1][N / 8][4], dp[1][N / 8][4];
            matmul<T, SIZE, N>(weight, keys, walk.columns_a);
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    weight[0][n][e] = ms_fast_exp2(fmaf(weight[0][n][e], p.scale, -queries.lse[n][e % 2]));
            if (first < first_row + GRAD_ROWS || ends) {
#pragma unroll
                for (int n = 0; n < N / 8; n++)
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        unsigned int query = first + fragment_column(n, e);
                        if (first_row + fragment_row(0, e) > query || query >= shape.sequence) weight[0][n][e] = 0.0f;
                    }
            }
            weigh<SIZE, N, 1>(dv, weight, walk.columns_b(), (const T *)NULL);
            matmul<T, SIZE, N>(dp, values, walk.columns_b());
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) weight[0][n][e] *= dp[0][n][e] - queries.delta[n][e % 2];
            weigh<SIZE, N, 1>(dk, weight, walk.columns_a, (const T *)NULL);
        }
        head++;
        q = next_q;
        d_o = next_d_o;
    }
    const float scale[1][2] = {{shape.scale, shape.scale}}, one[1][2] = {{1.0f, 1.0f}};
    if (p.dk)
        store_rows<SIZE, 1>(ms_head_of((T *)p.dk, shape, shape.kv_heads, batch, kv_head), first_row, dk, scale, shape);
    if (p.dv)
        store_rows<SIZE, 1>(ms_head_of((T *)p.dv, shape, shape.kv_heads, batch, kv_head), first_row, dv, one, shape);
}

template <class T> static size_t shared_bytes(int64_t head_size) {
    return head_size <= 32   ? grad_tile<T, 32>::BYTES
           : head_size <= 64 ? grad_tile<T, 64>::BYTES
                             : grad_tile<T, 128>::BYTES;
}

template <class T, int SIZE> static ms_status launch(const ms_cuda_call *call, const fast_attention_grad &p) {
    const size_t bytes = grad_tile<T, SIZE>::BYTES;
    if (p.dq) {
        MS_TRY(ms_allow_shared_bytes(queries_kernel<T, SIZE>, bytes));
        MS_LAUNCH((queries_kernel<T, SIZE>), p.shape.batch * p.shape.heads * p.n_tiles, WARP_THREADS, bytes,
                  call->stream, p);
        MS_TRY(ms_cuda_launched(call));
    }
    if (!p.dk && !p.dv) return MS_OK;
    MS_TRY(ms_allow_shared_bytes(keys_kernel<T, SIZE>, bytes));
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
    p.n_tiles = ms_thread_blocks(p.shape.sequence, GRAD_ROWS);
    p.scale = p.shape.scale * LOG2_E;
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
