// Fast attention: one walk over the keys with the running maximum (Milakov & Gimelshein 2018; Dao et al. 2022): what
// has been summed is multiplied by exp(old maximum - new maximum).  A thread block has 64 or 128 queries of one head, in
// registers; bf16 keys and values are copied while those before are worked on.
#include "backend/cuda/ops/attention_warp.cuh"

struct fast_attention {
    const void *q, *k, *v;
    void *o;
    float *lse;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles;
    float scale; // log2(e) of the shape's: powers are of 2; above 0
};

template <class T, int SIZE> struct forward_tile {
    using layout = warp_tile<T, SIZE>;
    // Two row tiles a warp halve the loads from shared memory for each product; registers allow it in bf16 up to 64.
    static constexpr int TILES = layout::WORDS <= 32 && sizeof(T) == 2 ? 2 : 1;
    static constexpr int ROWS = 16 * TILES * N_WARPS;
    static constexpr int N = sizeof(T) == 2 ? 64 : 32; // keys at a time
    static constexpr int BUFFER_WORDS = layout::words(N);
    static constexpr int WORDS = 2 * layout::BUFFERS * BUFFER_WORDS;
    // Queries pass through the place of keys and values.
    static_assert(layout::words(ROWS) <= WORDS, "queries fit");
    static constexpr size_t BYTES = sizeof(unsigned int) * WORDS;
};

// Running state of a lane's two rows of a tile.
struct softmax_rows {
    float maximum[2];
    float sum[2]; // of the lane's own columns
};

static __device__ __forceinline__ float minus_infinity() { return __uint_as_float(0xff800000u); }

// Hides keys after the query.
template <int N>
static __device__ __forceinline__ void hide(float (&score)[N / 8][4], int tile, unsigned int first_row,
                                            unsigned int first_column) {
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (first_column + fragment_column(n, e) > first_row + fragment_row(tile, e))
                score[n][e] = minus_infinity();
}

// Scores become exp(scale (score - maximum)); out_shrink: what earlier sums are to be multiplied by.  A row that has
// seen only -inf has weights 0.
template <int N>
static __device__ __forceinline__ void add_scores(softmax_rows &rows, float (&score)[N / 8][4], float scale,
                                                  float (&out_shrink)[2]) {
#pragma unroll
    for (int which = 0; which < 2; which++) {
        float highest = rows.maximum[which];
#pragma unroll
        for (int n = 0; n < N / 8; n++) highest = fmaxf(highest, fmaxf(score[n][2 * which], score[n][2 * which + 1]));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
        float base = highest == minus_infinity() ? 0.0f : highest * scale;
        out_shrink[which] = ms_fast_exp2(fmaf(rows.maximum[which], scale, -base));
        rows.maximum[which] = highest;
        float sum = rows.sum[which] * out_shrink[which];
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 2 * which; e < 2 * which + 2; e++) {
                score[n][e] = ms_fast_exp2(fmaf(score[n][e], scale, -base));
                sum += score[n][e];
            }
        rows.sum[which] = sum;
    }
}

template <int N> static __device__ __forceinline__ void shrink_sums(float (&sum)[N][4], const float (&shrink)[2]) {
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) sum[n][e] *= shrink[e / 2];
}

static __device__ __forceinline__ float sum_of_lanes(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

template <class T, int SIZE> static __global__ void __launch_bounds__(WARP_THREADS) attention_kernel(fast_attention p) {
    using tile = forward_tile<T, SIZE>;
    using layout = warp_tile<T, SIZE>;
    const int N = tile::N, TILES = tile::TILES;
    MS_DYNAMIC_SHARED(unsigned int, base);
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, head = blockIdx.x % n_heads % shape.heads;
    unsigned int batch = blockIdx.x % n_heads / shape.heads, kv_head = head / (shape.heads / shape.kv_heads);
    unsigned int first_row = (p.n_tiles - 1 - blockIdx.x / n_heads) * tile::ROWS; // longest walks first
    unsigned int end = min(first_row + tile::ROWS, shape.sequence);
    ms_cuda_head<const T> k = ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head);
    ms_cuda_head<const T> v = ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head);
    softmax_rows rows[TILES];
    float sum[TILES][SIZE / 8][4];
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        rows[i] = {{minus_infinity(), minus_infinity()}, {0, 0}};
        clear(sum[i]);
    }
    start_copy<T, SIZE, tile::ROWS>(base, ms_head_of((const T *)p.q, shape, shape.heads, batch, head), first_row,
                                    shape);
    finish_copies();
    own_rows<T, SIZE, TILES, true> queries;
    queries.take(base);
    __syncthreads();
    // Keys of even tiles, their values, keys of odd tiles, their values.
    unsigned int *keys = base;
    if (layout::BUFFERS == 2) {
        start_copy<T, SIZE, N>(keys, k, 0, shape);
        start_copy<T, SIZE, N>(keys + tile::BUFFER_WORDS, v, 0, shape);
    }
    for (unsigned int first = 0; first < end; first += N) {
        unsigned int copied = first + (layout::BUFFERS - 1) * N;
        if (layout::BUFFERS == 2)
            finish_copies(); // and all have done with the other buffers
        else
            __syncthreads();
        unsigned int *next = layout::BUFFERS == 1 ? keys : base + (2 * tile::BUFFER_WORDS - (keys - base));
        if (copied < end) {
            start_copy<T, SIZE, N>(next, k, copied, shape);
            start_copy<T, SIZE, N>(next + tile::BUFFER_WORDS, v, copied, shape);
        }
        if (layout::BUFFERS == 1) finish_copies();
        float score[TILES][N / 8][4];
        matmul<T, SIZE, N>(score, queries, keys);
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            float shrink[2];
            if (first + N > first_row + fragment_row(i, 0) - lane_group() + 1) hide<N>(score[i], i, first_row, first);
            add_scores<N>(rows[i], score[i], p.scale, shrink);
            shrink_sums(sum[i], shrink);
        }
        weigh<SIZE, N, TILES>(sum, score, keys + tile::BUFFER_WORDS, (const T *)NULL);
        keys = next;
    }
    float factor[TILES][2];
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
        for (int which = 0; which < 2; which++) {
            float total = sum_of_lanes(rows[i].sum[which]);
            unsigned int row = first_row + fragment_row(i, 2 * which);
            factor[i][which] = 1.0f / total;
            if (!p.lse || lane_place() != 0 || row >= shape.sequence) continue;
            // No finite score, or a NaN: not a number.
            float lse =
                total > 0 ? fmaf(rows[i].maximum[which], shape.scale, logf(total)) : __uint_as_float(0x7fc00000u);
            p.lse[(batch * shape.heads + head) * shape.sequence + row] = lse;
        }
    if (!p.o) return;
    store_rows<SIZE, TILES>(ms_head_of((T *)p.o, shape, shape.heads, batch, head), first_row, sum, factor, shape);
}

template <class T> static size_t shared_bytes(int64_t head_size) {
    return head_size <= 32   ? forward_tile<T, 32>::BYTES
           : head_size <= 64 ? forward_tile<T, 64>::BYTES
                             : forward_tile<T, 128>::BYTES;
}

template <class T, int SIZE> static ms_status launch(const ms_cuda_call *call, fast_attention &p) {
    const size_t bytes = forward_tile<T, SIZE>::BYTES;
    p.n_tiles = ms_thread_blocks(p.shape.sequence, forward_tile<T, SIZE>::ROWS);
    MS_TRY(ms_allow_shared_bytes(attention_kernel<T, SIZE>, bytes));
    MS_LAUNCH((attention_kernel<T, SIZE>), p.shape.batch * p.shape.heads * p.n_tiles, WARP_THREADS, bytes, call->stream,
              p);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run(const ms_cuda_call *call, fast_attention &p) {
    if (p.shape.head_size <= 32) return launch<T, 32>(call, p);
    return p.shape.head_size <= 64 ? launch<T, 64>(call, p) : launch<T, 128>(call, p);
}

bool ms_cuda_fast_attention_takes(const ms_cuda_call *call) {
    int64_t head_size = call->attributes->attention.head_size;
    return head_size <= MAX_WARP_SIZE && call->attributes->attention.scale > 0 &&
           MS_BY_DTYPE(call->in[0].dtype, shared_bytes, head_size) <= call->limits->shared_optin_bytes;
}

ms_status ms_cuda_fast_attention(const ms_cuda_call *call) {
    fast_attention p;
    p.q = call->in[0].data;
    p.k = call->in[1].data;
    p.v = call->in[2].data;
    p.o = call->out[0].data;
    p.lse = static_cast<float *>(call->out[1].data);
    p.shape = ms_cuda_attention_shape_of(call);
    p.scale = p.shape.scale * LOG2_E;
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
