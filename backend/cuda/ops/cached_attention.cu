// cached_attention: attention of single queries over key/value caches, in `fast` too by the products and functions of `exact`: what
// bounds it is reading the caches.  Three kernels, because a single query's heads are too few thread blocks to fill a GPU:
//   scores    a thread for each query, head and key
//   softmax   a thread block for each query and head: weights in place of the scores, and the reciprocal of their sum
//   values    a thread for each number of o
// Definition: backend/cpu/cached_attention.c.
#include "backend/cuda/ops/attention.cuh"
#include "backend/cuda/ops/reduce.cuh"

struct cached_attention {
    const void *q, *k, *v;
    const int *rows;
    void *o;
    float *scores;  // [queries * heads, sequence]
    float *inverse; // [queries * heads]
    ms_cuda_attention_shape shape;
    unsigned int n_tiles; // of keys
};

enum { THREADS = MS_REDUCE_THREADS };

// The keys that a query sees, 0: it is of no text; and the first of them, a row of the caches.
static __device__ __forceinline__ unsigned int keys_of(const cached_attention &p, unsigned int query,
                                                       unsigned int &first) {
    unsigned int row = (unsigned int)p.rows[query]; // a negative one is above all
    if (row >= p.shape.batch * p.shape.sequence) return 0;
    unsigned int n = row % p.shape.sequence + 1;
    first = row + 1 - n;
    return n;
}

// The element of the caches where the numbers of a head's key/value head begin in row `row`.
static __device__ __forceinline__ unsigned int place_of(const cached_attention &p, unsigned int row,
                                                        unsigned int head) {
    unsigned int kv_head = head / (p.shape.heads / p.shape.kv_heads);
    return (row * p.shape.kv_heads + kv_head) * p.shape.head_size;
}

template <class T>
static __device__ __forceinline__ float product(const T *a, const T *b, unsigned int n, bool vector) {
    float sum = ms_absent();
    if (vector) {
        for (unsigned int c = 0; c < n; c += 4) {
            float4 x = ms_load_quad(a, c), y = ms_load_quad(b, c);
            sum = ms_add(ms_add(sum, ms_mul(x.x, y.x)), ms_mul(x.y, y.y));
            sum = ms_add(ms_add(sum, ms_mul(x.z, y.z)), ms_mul(x.w, y.w));
        }
    } else {
        for (unsigned int c = 0; c < n; c++)
            sum = ms_add(sum, ms_mul(ms_load_element(a, c), ms_load_element(b, c)));
    }
    return sum;
}

template <class T> static __global__ void __launch_bounds__(THREADS) scores_kernel(cached_attention p) {
    unsigned int query_head = blockIdx.x / p.n_tiles, key = blockIdx.x % p.n_tiles * THREADS + threadIdx.x;
    unsigned int query = query_head / p.shape.heads, head = query_head % p.shape.heads, first = 0;
    if (key >= keys_of(p, query, first)) return;
    const T *q = (const T *)p.q + query_head * p.shape.head_size, *k = (const T *)p.k + place_of(p, first + key, head);
    p.scores[query_head * p.shape.sequence + key] =
        ms_mul(product(q, k, p.shape.head_size, p.shape.vector), p.shape.scale);
}

static __device__ __forceinline__ float larger(float a, float b) { return b > a ? b : a; }

static __global__ void __launch_bounds__(THREADS) softmax_kernel(cached_attention p) {
    MS_SHARED(float, maxima, [THREADS / 32]);
    unsigned int first = 0, n = keys_of(p, blockIdx.x / p.shape.heads, first);
    if (n == 0) return;
    float *scores = p.scores + blockIdx.x * p.shape.sequence, maximum = __uint_as_float(0xff800000u);
    for (unsigned int j = threadIdx.x; j < n; j += THREADS) maximum = larger(maximum, scores[j]);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) maximum = larger(maximum, __shfl_xor_sync(MS_FULL_WARP, maximum, step));
    if (threadIdx.x % 32 == 0) maxima[threadIdx.x / 32] = maximum;
    __syncthreads();
    for (unsigned int warp = 0; warp < THREADS / 32; warp++) maximum = larger(maximum, maxima[warp]);
    for (unsigned int j = threadIdx.x; j < n; j += THREADS) scores[j] = ms_exp(ms_sub(scores[j], maximum));
    __syncthreads();
    float sum = ms_block_reduce(scores, n);
    if (threadIdx.x == 0) p.inverse[blockIdx.x] = ms_reciprocal(sum);
}

template <class T> static __global__ void __launch_bounds__(THREADS) values_kernel(cached_attention p, unsigned int count) {
    unsigned int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= count) return;
    unsigned int query_head = i / p.shape.head_size, d = i % p.shape.head_size, head = query_head % p.shape.heads;
    unsigned int first = 0, stride = p.shape.kv_heads * p.shape.head_size;
    int n = (int)keys_of(p, query_head / p.shape.heads, first);
    if (n == 0) {
        ms_store_element((T *)p.o, i, 0.0f);
        return;
    }
    const float *weights = p.scores + query_head * p.shape.sequence;
    const T *v = (const T *)p.v + place_of(p, first, head) + d;
    float total = ms_absent();
    for (int begin = 0; begin < n; begin += MS_DEPTH_CHUNK) {
        int end = min(n, begin + MS_DEPTH_CHUNK);
        float sum = ms_absent();
#pragma unroll 8
        for (int j = begin; j < end; j++)
            sum = ms_add(sum, ms_mul(weights[j], ms_load_element(v, (unsigned int)j * stride)));
        total = ms_add(total, sum);
    }
    ms_store_element((T *)p.o, i, ms_mul(total, p.inverse[query_head]));
}

static size_t scores_bytes(const ms_cuda_call *call) {
    const ms_attention_attributes *a = &call->attributes->attention;
    size_t bytes = (size_t)call->in[0].shape.dim[0] * (size_t)a->heads * (size_t)a->sequence * sizeof(float);
    return (bytes + 255) / 256 * 256;
}

template <class T> static ms_status run(const ms_cuda_call *call, const cached_attention &p) {
    unsigned int query_heads = (unsigned int)call->in[0].shape.dim[0] * p.shape.heads;
    unsigned int count = query_heads * p.shape.head_size;
    MS_LAUNCH(scores_kernel<T>, query_heads * p.n_tiles, THREADS, 0, call->stream, p);
    MS_TRY(ms_cuda_launched(call));
    MS_LAUNCH(softmax_kernel, query_heads, THREADS, 0, call->stream, p);
    MS_TRY(ms_cuda_launched(call));
    MS_LAUNCH(values_kernel<T>, ms_thread_blocks(count, THREADS), THREADS, 0, call->stream, p, count);
    return ms_cuda_launched(call);
}

extern "C" ms_status ms_cuda_cached_attention(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    cached_attention p;
    p.q = call->in[0].data;
    p.k = call->in[1].data;
    p.v = call->in[2].data;
    p.rows = (const int *)call->in[3].data;
    p.o = call->out[0].data;
    p.scores = static_cast<float *>(call->workspace);
    p.inverse = reinterpret_cast<float *>(static_cast<char *>(call->workspace) + scores_bytes(call));
    p.shape = ms_cuda_attention_shape_of(call);
    p.n_tiles = ms_thread_blocks(p.shape.sequence, THREADS);
    if (p.shape.sequence > MS_REDUCE_BLOCK * MS_REDUCE_BLOCK)
        return MS_FAIL(MS_UNSUPPORTED, "cuda: cached_attention: caches of %u rows, at most %d are possible",
                       p.shape.sequence, MS_REDUCE_BLOCK * MS_REDUCE_BLOCK);
    return MS_BY_DTYPE(call->in[0].dtype, run, call, p);
}

extern "C" size_t ms_cuda_cached_attention_workspace(const ms_cuda_call *call) {
    return scores_bytes(call) + (size_t)call->in[0].shape.dim[0] * (size_t)call->attributes->attention.heads * sizeof(float);
}
