// Exact attention, definition: backend/cpu/attention.c.  A thread block has 64 queries of one head and walks twice over the
// keys that they see: for the maximum of their scores, then for the scores again, p = exp(s - m), their sum by the
// reduction rule and the weighted sum of values.  6 D FLOPs per visible pair instead of 4 D, and no score in memory.
#include "backend/cuda/ops/attention_tile.cuh"

enum { LANES_HERE = MS_LANES / 4 };

struct exact_attention {
    const void *q, *k, *v;
    void *o;
    float *lse;
    ms_cuda_attention_shape shape;
    unsigned int n_tiles, n_slices;
};

// The lanes of the reduction rule: thread t has lanes t % 4, t % 4 + 4, ... of row t / 4.
struct row_lanes {
    float lane[LANES_HERE], level[LANES_HERE]; // of the block at hand; of the sums of blocks
    float total;
};

static __device__ __forceinline__ void clear_lanes(float (&lane)[LANES_HERE]) {
#pragma unroll
    for (int i = 0; i < LANES_HERE; i++) lane[i] = -0.0f;
}

// The halving tree: 16, 8, 4 in the thread, 2 and 1 between neighbours.  All four get the sum.
static __device__ __forceinline__ float lane_tree(const float (&lane)[LANES_HERE]) {
    float a = ms_add(ms_add(lane[0], lane[4]), ms_add(lane[2], lane[6]));
    float b = ms_add(ms_add(lane[1], lane[5]), ms_add(lane[3], lane[7]));
    float sum = ms_add(a, b);
    sum = ms_add(sum, __shfl_xor_sync(0xffffffffu, sum, 2));
    return ms_add(sum, __shfl_xor_sync(0xffffffffu, sum, 1));
}

// Adds the tile's visible weights of the thread's row.
static __device__ __forceinline__ void add_weights(row_lanes &lanes, const attention_memory &memory,
                                                   unsigned int first_row, unsigned int first_column) {
    unsigned int row = threadIdx.x / 4, first_lane = threadIdx.x % 4;
#pragma unroll
    for (unsigned int part = 0; part < TILE; part += MS_LANES)
#pragma unroll
        for (int i = 0; i < LANES_HERE; i++) {
            unsigned int column = part + first_lane + 4 * i;
            float next = ms_add(lanes.lane[i], memory.weights[column][row]);
            lanes.lane[i] = first_column + column <= first_row + row ? next : lanes.lane[i];
        }
}

// A block of terms ends after column `end` - 1; all four threads of a row take part.
static __device__ __forceinline__ void close_block(row_lanes &lanes, unsigned int end, unsigned int last_end) {
    if (end % MS_REDUCE_BLOCK != 0 && end != last_end) return;
    float sum = lane_tree(lanes.lane);
    clear_lanes(lanes.lane);
    unsigned int block = (end - 1) / MS_REDUCE_BLOCK;
#pragma unroll
    for (int i = 0; i < LANES_HERE; i++)
        if (block % MS_LANES == threadIdx.x % 4 + 4 * i) lanes.level[i] = ms_add(lanes.level[i], sum);
    lanes.total = last_end <= MS_REDUCE_BLOCK ? sum : lane_tree(lanes.level);
}

template <class T>
static __device__ __forceinline__ void
find_maximum(float (&maximum)[4], attention_memory &memory, ms_cuda_head<const T> q, ms_cuda_head<const T> k,
             unsigned int first_row, unsigned int n_columns, const ms_cuda_attention_shape &shape) {
#pragma unroll
    for (int r = 0; r < 4; r++) maximum[r] = __uint_as_float(0xff800000u);
    for (unsigned int first = 0; first < n_columns; first += TILE) {
        float s[4][4];
        matmul(s, memory, q, first_row, k, first, shape);
#pragma unroll
        for (int r = 0; r < 4; r++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                float scaled = ms_mul(s[r][c], shape.scale);
                bool visible = first + tile_x() + 16 * c <= first_row + 4 * tile_y() + r;
                maximum[r] = visible && scaled > maximum[r] ? scaled : maximum[r];
            }
    }
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int step = 8; step > 0; step /= 2) {
            float other = __shfl_xor_sync(0xffffffffu, maximum[r], step);
            maximum[r] = other > maximum[r] ? other : maximum[r];
        }
}

template <class T>
static __device__ __forceinline__ void
compute_weights(float (&weight)[4][4], const float (&maximum)[4], attention_memory &memory, ms_cuda_head<const T> q,
                ms_cuda_head<const T> k, unsigned int first_row, unsigned int first_column,
                const ms_cuda_attention_shape &shape) {
    matmul(weight, memory, q, first_row, k, first_column, shape);
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++) weight[r][c] = ms_exp(ms_sub(ms_mul(weight[r][c], shape.scale), maximum[r]));
}

// S: the thread block makes 64 S numbers of the head, from 64 S blockIdx % n_slices.
template <class T, int S>
static __global__ void __launch_bounds__(TILE_THREADS, 1) attention_kernel(exact_attention p) {
    MS_SHARED(attention_memory, memory, );
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, slice = blockIdx.x % p.n_slices, rest = blockIdx.x / p.n_slices;
    unsigned int head = rest % n_heads % shape.heads, batch = rest % n_heads / shape.heads;
    unsigned int first_row = (p.n_tiles - 1 - rest / n_heads) * TILE; // late queries see most keys: longest first
    unsigned int n_columns = first_row + TILE, kv_head = head / (shape.heads / shape.kv_heads);
    ms_cuda_head<const T> q = ms_head_of((const T *)p.q, shape, shape.heads, batch, head);
    ms_cuda_head<const T> k = ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, kv_head);
    ms_cuda_head<const T> v = ms_head_of((const T *)p.v, shape, shape.kv_heads, batch, kv_head);
    float maximum[4], sum[4][4 * S], total[4][4 * S];
    row_lanes lanes;
    clear(sum);
    clear(total);
    clear_lanes(lanes.lane);
    clear_lanes(lanes.level);
    lanes.total = 0;
    find_maximum(maximum, memory, q, k, first_row, n_columns, shape);
    for (unsigned int first = 0; first < n_columns; first += TILE) {
        float weight[4][4];
        compute_weights(weight, maximum, memory, q, k, first_row, first, shape);
        put_weights(memory, weight);
        __syncthreads();
        add_weights(lanes, memory, first_row, first);
        close_block(lanes, first + TILE, n_columns);
        if (p.o && first < first_row)
            weigh<pairs::ALL, S>(sum, memory, first_row, v, first, slice * TILE_SLICE * S, shape);
        if (p.o && first == first_row)
            weigh<pairs::UP_TO_ROW, S>(sum, memory, first_row, v, first, slice * TILE_SLICE * S, shape);
        close_chunk(total, sum, first + TILE);
    }
    add(total, sum);
    if (threadIdx.x % 4 == 0) memory.row_numbers[threadIdx.x / 4] = lanes.total;
    __syncthreads();
    float inverse[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        unsigned int row = 4 * tile_y() + r;
        float weight_sum = memory.row_numbers[row];
        inverse[r] = ms_reciprocal(weight_sum);
        if (p.lse && slice == 0 && tile_x() == 0 && first_row + row < shape.sequence)
            p.lse[(batch * shape.heads + head) * shape.sequence + first_row + row] =
                ms_add(maximum[r], ms_log(weight_sum));
    }
    if (!p.o) return;
    ms_cuda_head<T> o = ms_head_of((T *)p.o, shape, shape.heads, batch, head);
    store_rows<S>(o, first_row, slice * TILE_SLICE * S, total, inverse, shape);
}

template <class T> static ms_status run(const ms_cuda_call *call, exact_attention &p) {
    bool wide = p.shape.head_size > TILE_SLICE;
    p.n_slices = ms_thread_blocks(p.shape.head_size, wide ? 2 * TILE_SLICE : TILE_SLICE);
    unsigned int n_blocks = p.n_slices * p.shape.batch * p.shape.heads * p.n_tiles;
    if (wide)
        MS_LAUNCH((attention_kernel<T, 2>), n_blocks, TILE_THREADS, 0, call->stream, p);
    else
        MS_LAUNCH((attention_kernel<T, 1>), n_blocks, TILE_THREADS, 0, call->stream, p);
    return ms_cuda_launched(call);
}

ms_status ms_cuda_exact_attention(const ms_cuda_call *call) {
    exact_attention p;
    p.q = call->in[0].data;
    p.k = call->in[1].data;
    p.v = call->in[2].data;
    p.o = call->out[0].data;
    p.lse = static_cast<float *>(call->out[1].data);
    p.shape = ms_cuda_attention_shape_of(call);
    p.n_tiles = ms_thread_blocks(p.shape.sequence, TILE);
    if (p.shape.sequence > MS_REDUCE_BLOCK * MS_REDUCE_BLOCK)
        return MS_FAIL(MS_UNSUPPORTED, "cuda: attention: sequences of %u, at most %d are possible", p.shape.sequence,
                       MS_REDUCE_BLOCK * MS_REDUCE_BLOCK);
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}
