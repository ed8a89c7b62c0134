// Fast attention: one walk over the keys with the running maximum (Milakov & Gimelshein 2018; Dao et al. 2022): what
// has been summed is multiplied by exp(old maximum - new maximum).  A block has 64 queries of one head.
#include "backend/cuda/attention_warp.cuh"

struct fast_attention {
    const void *q, *k, *v;
    void *o;
    float *lse;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles;
    float scale; // log2(e) of the shape's: powers are of 2
};

template <class T, int SIZE> struct forward_tile {
    using layout = warp_tile<T, SIZE>;
    static constexpr int N = sizeof(T) == 2 ? 64 : 32; // keys at a time
    static constexpr int QUERY_WORDS = layout::row_words(WARP_ROWS), KEY_WORDS = layout::row_words(N);
    static constexpr size_t BYTES = sizeof(unsigned int) * (QUERY_WORDS + KEY_WORDS + layout::pair_words(N));
};

// Running state of a lane's two rows.
struct softmax_rows {
    float maximum[2]; // in units of log 2
    float sum[2];     // of the lane's own columns
};

// Scales scores and hides keys after the query.
template <int N>
static __device__ __forceinline__ void finish_scores(float (&score)[N / 8][4], float scale, unsigned int first_row,
                                                     unsigned int first_column) {
    bool is_edge = first_column + N > first_row;
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            score[n][e] *= scale;
            if (is_edge && first_column + fragment_column(n, e) > first_row + fragment_row(e))
                score[n][e] = __uint_as_float(0xff800000u);
        }
}

// Scores become exp(score - maximum); out_shrink: what earlier sums are to be multiplied by.  A row that has seen only
// -inf has weights 0.
template <int N>
static __device__ __forceinline__ void add_scores(softmax_rows &rows, float (&score)[N / 8][4],
                                                  float (&out_shrink)[2]) {
#pragma unroll
    for (int which = 0; which < 2; which++) {
        float highest = rows.maximum[which];
#pragma unroll
        for (int n = 0; n < N / 8; n++) highest = fmaxf(highest, fmaxf(score[n][2 * which], score[n][2 * which + 1]));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
        float base = highest == __uint_as_float(0xff800000u) ? 0.0f : highest;
        out_shrink[which] = exp2f(rows.maximum[which] - base);
        rows.maximum[which] = highest;
        float sum = rows.sum[which] * out_shrink[which];
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int e = 2 * which; e < 2 * which + 2; e++) {
                score[n][e] = exp2f(score[n][e] - base);
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
    const int N = tile::N;
    MS_DYNAMIC_SHARED(unsigned int, queries);
    unsigned int *keys = queries + tile::QUERY_WORDS, *values = keys + tile::KEY_WORDS;
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, head = blockIdx.x % n_heads % shape.heads;
    unsigned int batch = blockIdx.x % n_heads / shape.heads, kv_head = head / (shape.heads / shape.kv_heads);
    unsigned int first_row = (p.n_tiles - 1 - blockIdx.x / n_heads) * WARP_ROWS; // longest walks first
    unsigned int end = min(first_row + WARP_ROWS, shape.sequence);
    ms_cuda_head<const T> k = ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head);
    ms_cuda_head<const T> v = ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head);
    const float lowest = __uint_as_float(0xff800000u);
    softmax_rows rows = {{lowest, lowest}, {0, 0}};
    float sum[SIZE / 8][4];
    clear(sum);
    stage_rows<T, SIZE, WARP_ROWS>(queries, ms_head_of((const T *)p.q, shape, shape.heads, batch, head), first_row,
                                   shape);
    for (unsigned int first = 0; first < end; first += N) {
        __syncthreads();
        stage_rows<T, SIZE, N>(keys, k, first, shape);
        stage_pairs<T, SIZE, N>(values, v, first, shape);
        __syncthreads();
        float score[N / 8][4], shrink[2];
        products<T, SIZE, N>(score, queries, keys);
        finish_scores<N>(score, p.scale, first_row, first);
        add_scores<N>(rows, score, shrink);
        shrink_sums(sum, shrink);
        weigh<SIZE, N>(sum, score, values, tile::layout::PAIR_STRIDE, (const T *)NULL);
    }
    float total[2] = {sum_of_lanes(rows.sum[0]), sum_of_lanes(rows.sum[1])};
#pragma unroll
    for (int which = 0; which < 2; which++) {
        unsigned int row = first_row + fragment_row(2 * which);
        if (!p.lse || lane_place() != 0 || row >= shape.sequence) continue;
        // No finite score, or a NaN: not a number.
        float lse =
            total[which] > 0 ? fmaf(rows.maximum[which], LOG_2, logf(total[which])) : __uint_as_float(0x7fc00000u);
        p.lse[(batch * shape.heads + head) * shape.sequence + row] = lse;
    }
    if (!p.o) return;
    store_rows<SIZE>(ms_head_of((T *)p.o, shape, shape.heads, batch, head), first_row, sum, 1.0f / total[0],
                     1.0f / total[1], shape);
}

template <class T> static size_t shared_bytes(int64_t head_size) {
    return head_size <= 32   ? forward_tile<T, 32>::BYTES
           : head_size <= 64 ? forward_tile<T, 64>::BYTES
                             : forward_tile<T, 128>::BYTES;
}

template <class T, int SIZE> static ms_status launch(const ms_cuda_call *call, const fast_attention &p) {
    const size_t bytes = forward_tile<T, SIZE>::BYTES;
    MS_TRY(allow_shared_bytes(attention_kernel<T, SIZE>, bytes));
    MS_LAUNCH((attention_kernel<T, SIZE>), p.shape.batch * p.shape.heads * p.n_tiles, WARP_THREADS, bytes, call->stream,
              p);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run(const ms_cuda_call *call, const fast_attention &p) {
    if (p.shape.head_size <= 32) return launch<T, 32>(call, p);
    return p.shape.head_size <= 64 ? launch<T, 64>(call, p) : launch<T, 128>(call, p);
}

bool ms_cuda_fast_attention_takes(const ms_cuda_call *call) {
    int64_t head_size = call->attributes->attention.head_size;
    return head_size <= MAX_WARP_SIZE &&
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
    p.n_tiles = ms_blocks(p.shape.sequence, WARP_ROWS);
    p.scale = p.shape.scale * LOG2_E;
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
