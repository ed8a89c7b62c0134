// attention_logit_max: the largest logit of each query head, in `fast` too by the exact products of attention_exact.cu.  A
// thread block finds that of 64 queries of one head; a second launch joins them.  Definition:
// backend/cpu/attention_logit_max.c.
#include "backend/cuda/ops/attention_tile.cuh"
#include "backend/cuda/ops/formulas.cuh"

struct logit_max {
    const void *q, *k;
    float *found; // [heads][batch][n_tiles]
    ms_cuda_attention_shape shape;
    unsigned int n_tiles;
};

static __device__ __forceinline__ float larger(float a, float b) { return ms_exact_formulas::ms_formula_maximum(a, b); }

static __device__ __forceinline__ float minus_infinity() { return __uint_as_float(0xff800000u); }

// The largest of all threads of a block, for thread 0.  Once in a kernel.
static __device__ __forceinline__ float largest_of_block(float largest) {
    MS_SHARED(float, of_warp, [TILE_THREADS / 32]);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) largest = larger(largest, __shfl_xor_sync(0xffffffffu, largest, step));
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = largest;
    __syncthreads();
    for (unsigned int i = 0; threadIdx.x == 0 && i < TILE_THREADS / 32; i++) largest = larger(largest, of_warp[i]);
    return largest;
}

template <class T> static __global__ void __launch_bounds__(TILE_THREADS) tile_kernel(logit_max p) {
    MS_SHARED(attention_memory, memory, );
    const ms_cuda_attention_shape &shape = p.shape;
    unsigned int n_heads = shape.batch * shape.heads, i_head = blockIdx.x % n_heads;
    unsigned int head = i_head % shape.heads, batch = i_head / shape.heads;
    unsigned int tile = p.n_tiles - 1 - blockIdx.x / n_heads; // late queries see most keys: longest first
    unsigned int first_row = tile * TILE;
    ms_cuda_head<const T> q = ms_head_of((const T *)p.q, shape, shape.heads, batch, head);
    ms_cuda_head<const T> k =
        ms_head_of((const T *)p.k, shape, shape.kv_heads, batch, head / (shape.heads / shape.kv_heads));
    float largest = minus_infinity();
    for (unsigned int first = 0; first <= first_row; first += TILE) {
        float s[4][4];
        matmul(s, memory, q, first_row, k, first, shape);
#pragma unroll
        for (int r = 0; r < 4; r++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                // Rows past the sequence repeat its last, and see nothing that it does not.
                bool visible = first + tile_x() + 16 * c <= first_row + 4 * tile_y() + r;
                float next = larger(largest, ms_mul(s[r][c], shape.scale));
                largest = visible ? next : largest;
            }
    }
    largest = largest_of_block(largest);
    if (threadIdx.x == 0) p.found[(head * shape.batch + batch) * p.n_tiles + tile] = largest;
}

// y[head] from n numbers of each head.
static __global__ void __launch_bounds__(TILE_THREADS) join_kernel(const float *found, float *y, unsigned int n) {
    float largest = minus_infinity();
    for (unsigned int i = threadIdx.x; i < n; i += TILE_THREADS) largest = larger(largest, found[blockIdx.x * n + i]);
    largest = largest_of_block(largest);
    if (threadIdx.x == 0) y[blockIdx.x] = largest;
}

template <class T> static ms_status run(const ms_cuda_call *call, const logit_max &p) {
    MS_LAUNCH(tile_kernel<T>, p.shape.batch * p.shape.heads * p.n_tiles, TILE_THREADS, 0, call->stream, p);
    return ms_cuda_launched(call);
}

static unsigned int tiles_of(const ms_cuda_call *call) {
    return ms_thread_blocks(call->attributes->attention.sequence, TILE);
}

extern "C" ms_status ms_cuda_attention_logit_max(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    logit_max p;
    p.q = call->in[0].data;
    p.k = call->in[1].data;
    p.found = static_cast<float *>(call->workspace);
    p.shape = ms_cuda_attention_shape_of(call);
    p.n_tiles = tiles_of(call);
    MS_TRY(MS_BY_DTYPE(call->in[0].dtype, run, call, p));
    MS_LAUNCH(join_kernel, p.shape.heads, TILE_THREADS, 0, call->stream, (const float *)p.found,
              static_cast<float *>(call->out[0].data), p.shape.batch * p.n_tiles);
    return ms_cuda_launched(call);
}

extern "C" size_t ms_cuda_attention_logit_max_workspace(const ms_cuda_call *call) {
    const ms_attention_attributes *a = &call->attributes->attention;
    return (size_t)a->heads * (size_t)a->batch * tiles_of(call) * sizeof(float);
}
