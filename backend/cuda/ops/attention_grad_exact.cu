// Exact gradient of attention, definition: backend/cpu/attention_grad.c.  Two kernels, so that every sum has one owner:
// thread blocks of 64 queries walk over the keys that they see and make dq; thread blocks of 64 keys walk over the heads of their
// group and the queries that see them and make dk and dv.  Both make the scores again.
#include "backend/cuda/ops/attention_tile.cuh"

struct exact_attention_grad {
    const void *q, *k, *v, *d_o;
    const float *lse, *delta; // [batch * heads, sequence]
    void *dq, *dk, *dv;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles, n_slices;
};

// All rows of the tensors that a head of queries has a part in.
template <class T> struct head_rows {
    ms_cuda_head<const T> q, k, v, d_o;
    const float *lse, *delta;
};

template <class T>
static __device__ __forceinline__ head_rows<T> rows_of(const exact_attention_grad &p, unsigned int batch,
                                                       unsigned int head) {
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int kv_head = head / (shape.heads / shape.kv_heads), at = (batch * shape.heads + head) * shape.sequence;
    return {ms_head_of((const T *)p.q, shape, shape.heads, batch, head),
            ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head),
            ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head),
            ms_head_of((const T *)p.d_o, shape, shape.heads, batch, head),
            p.lse + at,
            p.delta + at};
}

// The four numbers of queries first + step * r, 0 past the sequence.
static __device__ __forceinline__ void load_numbers(float (&to)[4], const float *from, unsigned int first,
                                                    unsigned int step, unsigned int sequence) {
#pragma unroll
    for (int r = 0; r < 4; r++) to[r] = first + step * r < sequence ? from[first + step * r] : 0.0f;
}

// S: the thread block makes 64 S numbers of the head.
template <class T, int S>
static __global__ void __launch_bounds__(TILE_THREADS, 1) queries_kernel(exact_attention_grad p) {
    MS_SHARED(attention_memory, memory, );
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, slice = blockIdx.x % p.n_slices, rest = blockIdx.x / p.n_slices;
    unsigned int head = rest % n_heads % shape.heads, batch = rest % n_heads / shape.heads;
    unsigned int first_row = (p.n_tiles - 1 - rest / n_heads) * TILE; // late queries see most keys: longest first
    unsigned int begin = slice * TILE_SLICE * S;
    head_rows<T> rows = rows_of<T>(p, batch, head);
    float lse[4], delta[4], sum[4][4 * S], total[4][4 * S];
    load_numbers(lse, rows.lse, first_row + 4 * tile_y(), 1, shape.sequence);
    load_numbers(delta, rows.delta, first_row + 4 * tile_y(), 1, shape.sequence);
    clear(sum);
    clear(total);
    for (unsigned int first = 0; first <= first_row; first += TILE) {
        float weight[4][4], dp[4][4];
        matmul(weight, memory, rows.q, first_row, rows.k, first, shape);
        matmul(dp, memory, rows.d_o, first_row, rows.v, first, shape);
#pragma unroll
        for (int r = 0; r < 4; r++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                float probability = ms_exp(ms_sub(ms_mul(weight[r][c], shape.scale), lse[r]));
                weight[r][c] = ms_mul(probability, ms_sub(dp[r][c], delta[r]));
            }
        put_weights(memory, weight);
        if (first < first_row)
            weigh<pairs::ALL, S>(sum, memory, first_row, rows.k, first, begin, shape);
        else
            weigh<pairs::UP_TO_ROW, S>(sum, memory, first_row, rows.k, first, begin, shape);
        close_chunk(total, sum, first + TILE);
    }
    add(total, sum);
    const float factor[4] = {shape.scale, shape.scale, shape.scale, shape.scale};
    store_rows<S>(ms_head_of((T *)p.dq, shape, shape.heads, batch, head), first_row, begin, total, factor, shape);
}

// Sums over the queries of a chunk, of the chunks before, of the heads before.
struct key_sums {
    float chunk[4][4], head[4][4], group[4][4];
};

static __device__ __forceinline__ void close_head(key_sums &sums) {
    add(sums.head, sums.chunk);
    add(sums.group, sums.head);
    clear(sums.chunk);
    clear(sums.head);
}

// The tile of keys first_row and queries first_query.
template <pairs WHICH, class T>
static __device__ __forceinline__ void
add_queries(key_sums &dk, key_sums &dv, attention_memory &memory, const head_rows<T> &rows, unsigned int first_row,
            unsigned int first_query, unsigned int begin, const exact_attention_grad &p) {
    const ms_cuda_attention_shape &shape = p.shape;
    float weight[4][4], dp[4][4], lse[4], delta[4];
    load_numbers(lse, rows.lse, first_query + tile_x(), 16, shape.sequence);
    load_numbers(delta, rows.delta, first_query + tile_x(), 16, shape.sequence);
    matmul(weight, memory, rows.k, first_row, rows.q, first_query, shape);
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++) weight[r][c] = ms_exp(ms_sub(ms_mul(weight[r][c], shape.scale), lse[c]));
    if (p.dv) {
        put_weights(memory, weight);
        weigh<WHICH, 1>(dv.chunk, memory, first_row, rows.d_o, first_query, begin, shape);
        close_chunk(dv.head, dv.chunk, first_query + TILE);
    }
    if (!p.dk) return;
    matmul(dp, memory, rows.v, first_row, rows.d_o, first_query, shape);
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++) weight[r][c] = ms_mul(weight[r][c], ms_sub(dp[r][c], delta[c]));
    put_weights(memory, weight);
    weigh<WHICH, 1>(dk.chunk, memory, first_row, rows.q, first_query, begin, shape);
    close_chunk(dk.head, dk.chunk, first_query + TILE);
}

// The thread block makes 64 numbers of the head.
template <class T> static __global__ void __launch_bounds__(TILE_THREADS, 1) keys_kernel(exact_attention_grad p) {
    MS_SHARED(attention_memory, memory, );
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.kv_heads, slice = blockIdx.x % p.n_slices,
                 rest = blockIdx.x / p.n_slices;
    unsigned int kv_head = rest % n_heads % shape.kv_heads, batch = rest % n_heads / shape.kv_heads;
    unsigned int first_row = rest / n_heads * TILE; // early keys are seen by most queries: longest first
    unsigned int begin = slice * TILE_SLICE, group = shape.heads / shape.kv_heads;
    key_sums dk, dv;
    clear(dk.chunk), clear(dk.head), clear(dk.group);
    clear(dv.chunk), clear(dv.head), clear(dv.group);
    for (unsigned int head = kv_head * group; head < (kv_head + 1) * group; head++) {
        head_rows<T> rows = rows_of<T>(p, batch, head);
        for (unsigned int first = first_row; first < shape.sequence; first += TILE) {
            if (first == first_row || first + TILE > shape.sequence)
                add_queries<pairs::FROM_ROW>(dk, dv, memory, rows, first_row, first, begin, p);
            else
                add_queries<pairs::ALL>(dk, dv, memory, rows, first_row, first, begin, p);
        }
        close_head(dk);
        close_head(dv);
    }
    const float scale[4] = {shape.scale, shape.scale, shape.scale, shape.scale}, one[4] = {1, 1, 1, 1};
    if (p.dk)
        store_rows<1>(ms_head_of((T *)p.dk, shape, shape.kv_heads, batch, kv_head), first_row, begin, dk.group, scale,
                      shape);
    if (p.dv)
        store_rows<1>(ms_head_of((T *)p.dv, shape, shape.kv_heads, batch, kv_head), first_row, begin, dv.group, one,
                      shape);
}

template <class T> static ms_status run_queries(const ms_cuda_call *call, exact_attention_grad &p) {
    bool wide = p.shape.head_size > TILE_SLICE;
    p.n_slices = ms_thread_blocks(p.shape.head_size, wide ? 2 * TILE_SLICE : TILE_SLICE);
    unsigned int n_blocks = p.n_slices * p.shape.batch * p.shape.heads * p.n_tiles;
    if (wide)
        MS_LAUNCH((queries_kernel<T, 2>), n_blocks, TILE_THREADS, 0, call->stream, p);
    else
        MS_LAUNCH((queries_kernel<T, 1>), n_blocks, TILE_THREADS, 0, call->stream, p);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run_keys(const ms_cuda_call *call, exact_attention_grad &p) {
    p.n_slices = ms_thread_blocks(p.shape.head_size, TILE_SLICE);
    unsigned int n_blocks = p.n_slices * p.shape.batch * p.shape.kv_heads * p.n_tiles;
    MS_LAUNCH(keys_kernel<T>, n_blocks, TILE_THREADS, 0, call->stream, p);
    return ms_cuda_launched(call);
}

ms_status ms_cuda_exact_attention_grad(const ms_cuda_call *call, const float *delta) {
    exact_attention_grad p;
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
    p.n_tiles = ms_thread_blocks(p.shape.sequence, TILE);
    if (p.dq) MS_TRY(MS_BY_DTYPE(call->in[0].dtype, run_queries, call, p));
    if (p.dk || p.dv) MS_TRY(MS_BY_DTYPE(call->in[0].dtype, run_keys, call, p));
    return MS_OK;
}
