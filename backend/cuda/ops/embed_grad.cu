// embed_grad: y[v,:] = acc[v,:] + scale (sum of dy[n,:] over the tokens n with index[n] = v, ascending from the first);
// rows without tokens are acc, or 0; y may be acc.  An index outside of [0, V) is reported and left out.  Definition:
// backend/cpu/embed_grad.c.
//
// The tokens of each row are gathered by integer operations, in steps whose results do not depend on the order in which
// atomics happen:
//   count   counts[v]: tokens of row v; arrivals[n]: a number of its own for each token of a row
//   begin   begins[v]: where the row's tokens stand in a list; which row comes first is left to chance
//   list    the tokens of each row, in any order
//   sort    the tokens of each row, ascending: a token's place is how many tokens of its row are less
//   sums    of rows with few tokens by a thread for each pack of columns
//   long sums    of the others, which in text may have one token in twenty: many threads load, one adds
#include "backend/cuda/ops/reduce.cuh"

// In the workspace.  counts[V] is how much of the list is taken, counts[V + 1] how many long rows there are.  Rows without
// tokens have no begin.
struct token_lists {
    const int *index;
    unsigned int *counts, *begins;              // [V + 2], [V]
    unsigned int *arrivals, *unsorted, *tokens; // [N]
    unsigned int *long_rows;                    // [N / LONG_ROW]; in any order
    unsigned int n_tokens;
    int vocabulary;
};

// A long row has LONG_ROW tokens or more.
enum { THREADS = 128, LONG_ROW = 17, TOKENS_AHEAD = 4 };

// This thread's token and its row; false where there is none.
static __device__ __forceinline__ bool find_token(const token_lists &lists, unsigned int *n, int *id) {
    *n = blockIdx.x * blockDim.x + threadIdx.x;
    if (*n >= lists.n_tokens) return false;
    *id = lists.index[*n];
    return *id >= 0 && *id < lists.vocabulary;
}

static __global__ void __launch_bounds__(THREADS)
    count_kernel(token_lists lists, ms_cuda_fault *fault, unsigned int node) {
    unsigned int n;
    int id;
    if (find_token(lists, &n, &id))
        lists.arrivals[n] = atomicAdd(&lists.counts[id], 1u);
    else if (n < lists.n_tokens)
        ms_report_fault(fault, node, id);
}

// The first token of each row takes a part of the list for all.
static __global__ void __launch_bounds__(THREADS) begin_kernel(token_lists lists) {
    unsigned int n;
    int id;
    if (!find_token(lists, &n, &id) || lists.arrivals[n] != 0) return;
    unsigned int count = lists.counts[id];
    lists.begins[id] = atomicAdd(&lists.counts[lists.vocabulary], count);
    if (count >= LONG_ROW) lists.long_rows[atomicAdd(&lists.counts[lists.vocabulary + 1], 1u)] = id;
}

static __global__ void __launch_bounds__(THREADS) list_kernel(token_lists lists) {
    unsigned int n;
    int id;
    if (find_token(lists, &n, &id)) lists.unsorted[lists.begins[id] + lists.arrivals[n]] = n;
}

static __global__ void __launch_bounds__(THREADS) sort_kernel(token_lists lists) {
    unsigned int n;
    int id;
    if (!find_token(lists, &n, &id)) return;
    const unsigned int *row = lists.unsorted + lists.begins[id];
    unsigned int place = lists.begins[id];
    const int count = (int)lists.counts[id];
#pragma unroll 8
    for (int i = 0; i < count; i++) place += row[i] < n; // signed: reduce.cuh
    lists.tokens[place] = n;
}

template <class T> struct embed_grad_job {
    const T *dy;
    const float *acc; // NULL: absent
    float *y;
    float scale;
    unsigned int columns;
};

// Numbers c to c + W - 1 of row v, from the sum of its tokens.
template <int W, class T>
static __device__ __forceinline__ void store_sum(const embed_grad_job<T> &job, unsigned int v, unsigned int c,
                                                 const ms_pack<W> &sum) {
    unsigned int i = v * job.columns + c;
    ms_pack<W> value = ms_pack_scale(sum, job.scale);
    ms_store_pack<W>(job.y, i, job.acc ? ms_pack_add(ms_load_pack<W>(job.acc, i), value) : value);
}

// A thread block's x covers columns, its y rows of the table.
template <int W, class T>
static __global__ void __launch_bounds__(THREADS, 1) sum_kernel(token_lists lists, embed_grad_job<T> job) {
    unsigned int v = blockIdx.x * blockDim.y + threadIdx.y, columns = job.columns;
    if (v >= (unsigned int)lists.vocabulary) return;
    const unsigned int count = lists.counts[v];
    if (count >= LONG_ROW || (count == 0 && job.acc == job.y)) return;
    const unsigned int *tokens = count > 0 ? lists.tokens + lists.begins[v] : nullptr;
    for (unsigned int c = threadIdx.x * W; c < columns; c += blockDim.x * W) {
        if (count == 0) {
            ms_store_pack<W>(job.y, v * columns + c,
                             job.acc ? ms_load_pack<W>(job.acc, v * columns + c) : ms_pack_of<W>(0.0f));
            continue;
        }
        ms_pack<W> sum = ms_load_pack<W>(job.dy, tokens[0] * columns + c);
        ms_add_rounds<TOKENS_AHEAD, 1>(sum, 1, (int)count, [&job, tokens, columns, c](unsigned int i) {
            return ms_load_pack<W>(job.dy, tokens[i] * columns + c);
        });
        store_sum(job, v, c, sum);
    }
}

// Packs of columns and tokens that a thread block loads at one time; threads for tokens.
enum { LONG_PACKS = 8, LONG_TOKENS = 128, LONG_LANES = THREADS / LONG_PACKS };

// A thread block sums LONG_PACKS packs of a long row.  The sum is one chain, ascending, as in short rows; but all threads load, so
// that LONG_TOKENS tokens are on the way at one time, into shared memory.
template <int W, class T>
static __global__ void __launch_bounds__(THREADS, 1)
    long_sum_kernel(token_lists lists, embed_grad_job<T> job, unsigned int tiles) {
    MS_SHARED(float, staged, [LONG_TOKENS * LONG_PACKS * W]);
    unsigned int i_row = blockIdx.x / tiles, columns = job.columns;
    if (i_row >= lists.counts[lists.vocabulary + 1]) return;
    unsigned int v = lists.long_rows[i_row], c = (blockIdx.x % tiles * LONG_PACKS + threadIdx.x) * W;
    const unsigned int *tokens = lists.tokens + lists.begins[v];
    const int count = (int)lists.counts[v];
    bool adds = threadIdx.y == 0 && c < columns;
    ms_pack<W> sum = ms_pack_of<W>(ms_absent());
    for (int first = 0; first < count; first += LONG_TOKENS) {
        const int rounds = LONG_TOKENS / LONG_LANES;
        ms_pack<W> term[rounds];
#pragma unroll
        for (int k = 0; k < rounds; k++) { // past the end: the last again
            unsigned int token = tokens[min(first + k * LONG_LANES + (int)threadIdx.y, count - 1)];
            term[k] = ms_load_pack<W>(job.dy, token * columns + min(c, columns - W));
        }
        if (first > 0) __syncthreads(); // what was staged has been added
#pragma unroll
        for (int k = 0; k < rounds; k++)
            ms_store_pack<W>(staged, ((k * LONG_LANES + threadIdx.y) * LONG_PACKS + threadIdx.x) * W, term[k]);
        __syncthreads();
        const float *terms = staged;
        if (adds)
            ms_add_rounds<8, 1>(sum, 0, min(count - first, (int)LONG_TOKENS), [terms](unsigned int i) {
                return ms_load_pack<W>(terms, (i * LONG_PACKS + threadIdx.x) * W);
            });
    }
    if (adds) store_sum(job, v, c, sum);
}

// The next `count` numbers of the workspace; NULL without one.
static unsigned int *take(char *memory, size_t *size_bytes, int64_t count) {
    char *part = memory ? memory + *size_bytes : NULL;
    *size_bytes += ((size_t)count * sizeof(unsigned int) + 255) / 256 * 256;
    return reinterpret_cast<unsigned int *>(part);
}

// Returns the bytes that the lists take; `memory` may be NULL to learn just that.
static size_t lay_out(const ms_cuda_call *call, void *memory, token_lists *out) {
    int64_t vocabulary = call->attributes->embed.rows, n_tokens = call->in[0].count;
    size_t size_bytes = 0;
    out->index = (const int *)call->in[0].data;
    out->n_tokens = (unsigned int)n_tokens;
    out->vocabulary = (int)vocabulary;
    out->counts = take((char *)memory, &size_bytes, vocabulary + 2);
    out->begins = take((char *)memory, &size_bytes, vocabulary);
    out->arrivals = take((char *)memory, &size_bytes, n_tokens);
    out->unsorted = take((char *)memory, &size_bytes, n_tokens);
    out->tokens = take((char *)memory, &size_bytes, n_tokens);
    out->long_rows = take((char *)memory, &size_bytes, n_tokens / LONG_ROW);
    return size_bytes;
}

static ms_status make_lists(const ms_cuda_call *call, const token_lists &lists) {
    unsigned int blocks = ms_thread_blocks(lists.n_tokens, THREADS);
    MS_CUDA_TRY(cudaMemsetAsync(lists.counts, 0, ((size_t)lists.vocabulary + 2) * sizeof *lists.counts, call->stream),
                "embed_grad: zeroing counts");
    *call->fault_limit = lists.vocabulary;
    MS_LAUNCH(count_kernel, blocks, THREADS, 0, call->stream, lists, call->fault, call->node);
    MS_TRY(ms_cuda_launched(call));
    MS_LAUNCH(begin_kernel, blocks, THREADS, 0, call->stream, lists);
    MS_TRY(ms_cuda_launched(call));
    MS_LAUNCH(list_kernel, blocks, THREADS, 0, call->stream, lists);
    MS_TRY(ms_cuda_launched(call));
    MS_LAUNCH(sort_kernel, blocks, THREADS, 0, call->stream, lists);
    return ms_cuda_launched(call);
}

template <int W, class T> static ms_status add_sums(const ms_cuda_call *call, const token_lists &lists) {
    const int64_t columns = call->out[0].shape.dim[1];
    embed_grad_job<T> job = {(const T *)call->in[1].data, (const float *)call->in[2].data, (float *)call->out[0].data,
                             call->attributes->embed.scale, (unsigned int)columns};
    unsigned int width = 1;
    while (width < THREADS && (int64_t)width * W < columns) width *= 2;
    dim3 block(width, THREADS / width);
    MS_LAUNCH((sum_kernel<W, T>), ms_thread_blocks(lists.vocabulary, block.y), block, 0, call->stream, lists, job);
    MS_TRY(ms_cuda_launched(call));
    const int64_t tiles = (columns + LONG_PACKS * W - 1) / (LONG_PACKS * W), most_rows = lists.n_tokens / LONG_ROW;
    if (most_rows == 0) return MS_OK;
    MS_LAUNCH((long_sum_kernel<W, T>), (unsigned int)(most_rows * tiles), dim3(LONG_PACKS, LONG_LANES), 0, call->stream,
              lists, job, (unsigned int)tiles);
    return ms_cuda_launched(call);
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    const int width = MS_PACK_WIDTH(T);
    int64_t columns = call->out[0].shape.dim[1];
    token_lists lists;
    lay_out(call, call->workspace, &lists);
    MS_TRY(make_lists(call, lists));
    bool packs = ms_is_packs(&call->in[1], columns, width) && ms_is_packs(&call->in[2], columns, width) &&
                 ms_is_packs(&call->out[0], columns, width);
    return packs ? add_sums<width, T>(call, lists) : add_sums<1, T>(call, lists);
}

extern "C" ms_status ms_cuda_embed_grad(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->in[1].dtype, run, call);
}

extern "C" size_t ms_cuda_embed_grad_workspace(const ms_cuda_call *call) {
    token_lists lists;
    return lay_out(call, NULL, &lists);
}
