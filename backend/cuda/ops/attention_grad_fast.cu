// Fast gradient of attention, deterministic: every sum has one owner.  Thread blocks of 64 queries walk over the keys that
// they see and make dq; thread blocks of 64 or 128 keys walk over the heads of their group and the queries that see them and make dk
// and dv.  Both make the scores again from lse (Dao et al. 2022).
#include "backend/cuda/ops/attention_warp.cuh"

struct fast_attention_grad {
    const void *q, *k, *v, *d_o;
    const float *lse, *delta; // [batch * heads, sequence]
    void *dq, *dk, *dv;
    ms_cuda_attention_shape shape;
    float scale; // log2(e) of the shape's: powers are of 2
};

// N_TILES: row tiles of 16 a warp.  Two halve the loads of columns from shared memory for each product.  NUMBERS: the columns are
// queries, of which lse and delta are needed too.
template <class T, int SIZE, int N_TILES, bool NUMBERS> struct grad_tile {
    using layout = warp_tile<T, SIZE>;
    static constexpr int TILES = N_TILES, ROWS = 16 * TILES * N_WARPS;
    static constexpr int N = SIZE * TILES >= 128 ? 16 : 32; // columns at a time
    static constexpr bool KEPT = layout::WORDS <= 32;       // own rows, in registers
    static constexpr int OWN_WORDS = layout::words(ROWS), COLUMN_WORDS = layout::words(N);
    // Shared memory: both own tensors, and for each buffer both that are walked over, then lse and delta.  Columns take the place of
    // own rows that are kept.
    static constexpr int NUMBER_WORDS = NUMBERS ? 2 * N : 0, BUFFER_WORDS = 2 * COLUMN_WORDS + NUMBER_WORDS;
    static constexpr int WALK_AT = KEPT ? 0 : 2 * OWN_WORDS, END = WALK_AT + layout::BUFFERS * BUFFER_WORDS;
    static constexpr size_t BYTES = sizeof(unsigned int) * (END > 2 * OWN_WORDS ? END : 2 * OWN_WORDS);
};

// Which kernels have two: docs/decisions.md.
template <class T, int SIZE> using queries_tile = grad_tile<T, SIZE, 1, false>;
template <class T, int SIZE> using keys_tile = grad_tile<T, SIZE, sizeof(T) == 2 && SIZE == 64 ? 2 : 1, true>;

// A head that is walked over: rows of two tensors, and where its queries' lse and delta begin, if they are needed.
template <class T> struct walked_head {
    ms_cuda_head<const T> a, b;
    const float *lse, *delta;

    // From a head of queries to the next.
    __device__ __forceinline__ void advance(const ms_cuda_attention_shape &shape) {
        a.data += shape.head_size;
        b.data += shape.head_size;
        lse += shape.sequence;
        delta += shape.sequence;
    }
};

// Where the walk is: columns first to first + N - 1 of tensors a and b are in shared memory, and their lse and delta.
template <class T, int SIZE, class tile> struct column_walk {
    static constexpr int N = tile::N, BUFFERS = warp_tile<T, SIZE>::BUFFERS;
    unsigned int *base, *columns_a;

    __device__ __forceinline__ const unsigned int *columns_b() const { return columns_a + tile::COLUMN_WORDS; }
    __device__ __forceinline__ void copy(unsigned int *to, const walked_head<T> &head, unsigned int first,
                                         const ms_cuda_attention_shape &shape) {
        start_copy<T, SIZE, N>(to, head.a, first, shape);
        start_copy<T, SIZE, N>(to + tile::COLUMN_WORDS, head.b, first, shape);
        if constexpr (tile::NUMBER_WORDS > 0) {
            if (threadIdx.x >= tile::NUMBER_WORDS) return;
            unsigned int i = first + threadIdx.x % N;
            bool exists = i < shape.sequence;
            ms_copy_async_word(to + 2 * tile::COLUMN_WORDS + threadIdx.x,
                               (threadIdx.x < N ? head.lse : head.delta) + (exists ? i : 0), exists);
        }
    }
    // Before the first step.  With one buffer each step copies for itself.
    __device__ __forceinline__ void begin(unsigned int *memory, const walked_head<T> &head, unsigned int first,
                                          const ms_cuda_attention_shape &shape) {
        base = memory;
        columns_a = memory + (BUFFERS - 1) * tile::BUFFER_WORDS;
        if (BUFFERS == 2) copy(base, head, first, shape);
    }
    // Has the columns from `first` on at hand, and begins to copy those of the next step, of the next head where `first` is
    // the last of this one, unless it is at the end.
    __device__ __forceinline__ void step(walked_head<T> head, unsigned int first, unsigned int next_first,
                                         bool next_head, bool is_last, const ms_cuda_attention_shape &shape) {
        if (BUFFERS == 1) {
            __syncthreads(); // all have done with the columns before
            copy(columns_a, head, first, shape);
            finish_copies();
            return;
        }
        finish_copies(); // and all have done with the other buffer
        unsigned int *other = columns_a;
        columns_a = base + (tile::BUFFER_WORDS - (columns_a - base));
        if (next_head) head.advance(shape);
        if (!is_last) copy(other, head, next_first, shape);
    }
};

static __device__ __forceinline__ float number_of(const float *numbers, unsigned int i, unsigned int sequence) {
    return i < sequence ? numbers[i] : 0.0f;
}

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS) queries_kernel(fast_attention_grad p) {
    using tile = queries_tile<T, SIZE>;
    const int N = tile::N;
    MS_DYNAMIC_SHARED(unsigned int, own);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, head = blockIdx.x % n_heads % shape.heads;
    unsigned int batch = blockIdx.x % n_heads / shape.heads, kv_head = head / (shape.heads / shape.kv_heads);
    unsigned int first_row = (gridDim.x / n_heads - 1 - blockIdx.x / n_heads) * tile::ROWS; // longest walks first
    unsigned int end = min(first_row + tile::ROWS, shape.sequence), at = (batch * shape.heads + head) * shape.sequence;
    walked_head<T> head_of_keys = {ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head),
                                   ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head), NULL, NULL};
    float dq[1][SIZE / 8][4], lse[2], delta[2];
#pragma unroll
    for (int which = 0; which < 2; which++) {
        unsigned int row = first_row + fragment_row(0, 2 * which);
        lse[which] = number_of(p.lse + at, row, shape.sequence) * LOG2_E;
        delta[which] = number_of(p.delta + at, row, shape.sequence);
    }
    clear(dq[0]);
    start_copy<T, SIZE, tile::ROWS>(own, ms_head_of((const T *)p.q, shape, shape.heads, batch, head), first_row, shape);
    start_copy<T, SIZE, tile::ROWS>(own + tile::OWN_WORDS, ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head),
                                   first_row, shape);
    column_walk<T, SIZE, tile> walk;
    if (!tile::KEPT) walk.begin(own + tile::WALK_AT, head_of_keys, 0, shape);
    finish_copies();
    own_rows<T, SIZE, 1, tile::KEPT> queries, slopes;
    queries.take(own);
    slopes.take(own + tile::OWN_WORDS);
    if (tile::KEPT) {
        __syncthreads();
        walk.begin(own + tile::WALK_AT, head_of_keys, 0, shape);
    }
    for (unsigned int first = 0; first < end; first += N) {
        walk.step(head_of_keys, first, first + N, false, first + N >= end, shape);
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

// Of N numbers of queries in shared memory those of the lane's columns.
template <int N>
static __device__ __forceinline__ void load_columns(float (&to)[N / 8][2], const unsigned int *numbers) {
#pragma unroll
    for (int n = 0; n < N / 8; n++) {
        float2 two = *reinterpret_cast<const float2 *>(numbers + fragment_column(n, 0));
        to[n][0] = two.x, to[n][1] = two.y;
    }
}

// A warp's keys and values with the sums of their gradients.
template <class T, int SIZE, class tile> struct key_rows {
    static constexpr int TILES = tile::TILES, N = tile::N;
    own_rows<T, SIZE, TILES, tile::KEPT> keys, values;
    float dk[TILES][SIZE / 8][4], dv[TILES][SIZE / 8][4];

    // Hides queries before the key and past the sequence.
    static __device__ __forceinline__ void hide(float (&weight)[TILES][N / 8][4], unsigned int first_row,
                                                unsigned int first, unsigned int sequence) {
#pragma unroll
        for (int i = 0; i < TILES; i++)
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    unsigned int query = first + fragment_column(n, e);
                    if (first_row + fragment_row(i, e) > query || query >= sequence) weight[i][n][e] = 0.0f;
                }
    }
    // Adds N queries, whose rows are in shared memory.
    __device__ __forceinline__ void add(const unsigned int *q, unsigned int first, unsigned int first_row,
                                        const ms_cuda_attention_shape &shape, float scale) {
        const unsigned int *d_o = q + tile::COLUMN_WORDS, *numbers = d_o + tile::COLUMN_WORDS;
        float weight[TILES][N / 8][4], dp[TILES][N / 8][4], lse[N / 8][2], delta[N / 8][2];
        load_columns<N>(lse, numbers);
        matmul<T, SIZE, N>(weight, keys, q);
#pragma unroll
        for (int i = 0; i < TILES; i++)
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    weight[i][n][e] = ms_fast_exp2(fmaf(weight[i][n][e], scale, -lse[n][e % 2] * LOG2_E));
        if (first < first_row + tile::ROWS || first + N > shape.sequence)
            hide(weight, first_row, first, shape.sequence);
        weigh<SIZE, N, TILES>(dv, weight, d_o, (const T *)NULL);
        load_columns<N>(delta, numbers + N);
        matmul<T, SIZE, N>(dp, values, d_o);
#pragma unroll
        for (int i = 0; i < TILES; i++)
#pragma unroll
            for (int n = 0; n < N / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) weight[i][n][e] *= dp[i][n][e] - delta[n][e % 2];
        weigh<SIZE, N, TILES>(dk, weight, q, (const T *)NULL);
    }
};

template <class T, int SIZE>
static __global__ void __launch_bounds__(WARP_THREADS, 1) keys_kernel(fast_attention_grad p) {
    using tile = keys_tile<T, SIZE>;
    const int N = tile::N, TILES = tile::TILES;
    MS_DYNAMIC_SHARED(unsigned int, own);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.kv_heads, kv_head = blockIdx.x % n_heads % shape.kv_heads;
    unsigned int batch = blockIdx.x % n_heads / shape.kv_heads, group = shape.heads / shape.kv_heads;
    unsigned int first_row =
        blockIdx.x / n_heads * tile::ROWS; // early keys are seen by most queries: longest walks first
    key_rows<T, SIZE, tile> rows;
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        clear(rows.dk[i]);
        clear(rows.dv[i]);
    }
    start_copy<T, SIZE, tile::ROWS>(own, ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head), first_row,
                                    shape);
    start_copy<T, SIZE, tile::ROWS>(own + tile::OWN_WORDS,
                                    ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head), first_row, shape);
    unsigned int head = kv_head * group, numbers = (batch * shape.heads + head) * shape.sequence;
    walked_head<T> queries = {ms_head_of((const T *)p.q, shape, shape.heads, batch, head),
                              ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head), p.lse + numbers,
                              p.delta + numbers};
    column_walk<T, SIZE, tile> walk;
    if (!tile::KEPT) walk.begin(own + tile::WALK_AT, queries, first_row, shape);
    finish_copies();
    rows.keys.take(own);
    rows.values.take(own + tile::OWN_WORDS);
    if (tile::KEPT) {
        __syncthreads();
        walk.begin(own + tile::WALK_AT, queries, first_row, shape);
    }
    for (; group > 0; group--) {
        for (unsigned int first = first_row; first < shape.sequence; first += N) {
            bool ends = first + N >= shape.sequence; // then with the next head
            walk.step(queries, first, ends ? first_row : first + N, ends, ends && group == 1, shape);
            rows.add(walk.columns_a, first, first_row, shape, p.scale);
        }
        queries.advance(shape);
    }
    float scale[TILES][2], one[TILES][2];
#pragma unroll
    for (int i = 0; i < 2 * TILES; i++) {
        scale[i / 2][i % 2] = shape.scale;
        one[i / 2][i % 2] = 1.0f;
    }
    if (p.dk)
        store_rows<SIZE, TILES>(ms_head_of((T *)p.dk, shape, shape.kv_heads, batch, kv_head), first_row, rows.dk, scale,
                                shape);
    if (p.dv)
        store_rows<SIZE, TILES>(ms_head_of((T *)p.dv, shape, shape.kv_heads, batch, kv_head), first_row, rows.dv, one, shape);
}

template <class T, int SIZE> static constexpr size_t most_bytes() {
    return queries_tile<T, SIZE>::BYTES > keys_tile<T, SIZE>::BYTES ? queries_tile<T, SIZE>::BYTES
                                                                    : keys_tile<T, SIZE>::BYTES;
}

template <class T> static size_t shared_bytes(int64_t head_size) {
    return head_size <= 32 ? most_bytes<T, 32>() : head_size <= 64 ? most_bytes<T, 64>() : most_bytes<T, 128>();
}

template <class T, int SIZE> static ms_status launch(const ms_cuda_call *call, const fast_attention_grad &p) {
    using queries = queries_tile<T, SIZE>;
    using keys = keys_tile<T, SIZE>;
    if (p.dq) {
        unsigned int n_tiles = ms_thread_blocks(p.shape.sequence, queries::ROWS);
        MS_TRY(ms_allow_shared_bytes(queries_kernel<T, SIZE>, queries::BYTES));
        MS_LAUNCH((queries_kernel<T, SIZE>), p.shape.batch * p.shape.heads * n_tiles, WARP_THREADS, queries::BYTES,
                  call->stream, p);
        MS_TRY(ms_cuda_launched(call));
    }
    if (!p.dk && !p.dv) return MS_OK;
    unsigned int n_tiles = ms_thread_blocks(p.shape.sequence, keys::ROWS);
    MS_TRY(ms_allow_shared_bytes(keys_kernel<T, SIZE>, keys::BYTES));
    MS_LAUNCH((keys_kernel<T, SIZE>), p.shape.batch * p.shape.kv_heads * n_tiles, WARP_THREADS, keys::BYTES,
              call->stream, p);
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
    p.scale = p.shape.scale * LOG2_E;
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
