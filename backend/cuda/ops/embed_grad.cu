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
//   sums
#include "backend/cuda/ops/pack.cuh"

// In the workspace.  counts[V] is how much of the list is taken.  Rows without tokens have no begin.
struct token_lists {
    const int *index;
    unsigned int *counts, *begins;              // [V + 1], [V]
    unsigned int *arrivals, *unsorted, *tokens; // [N]
    unsigned int n_tokens;
    int vocabulary;
};

enum { THREADS = 128 };

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
    if (find_token(lists, &n, &id) && lists.arrivals[n] == 0)
        lists.begins[id] = atomicAdd(&lists.counts[lists.vocabulary], lists.counts[id]);
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
    unsigned int begin = lists.begins[id], end = begin + lists.counts[id], place = begin;
#pragma unroll 8
    for (unsigned int i = begin; i < end; i++) place += lists.unsorted[i] < n;
    lists.tokens[place] = n;
}

// A thread block's x covers columns, its y rows of the table.
template <int W, class T>
static __global__ void __launch_bounds__(THREADS)
    sum_kernel(token_lists lists, const T *dy, const float *acc, float *y, float scale, unsigned int columns) {
    unsigned int v = blockIdx.x * blockDim.y + threadIdx.y;
    if (v >= (unsigned int)lists.vocabulary) return;
    unsigned int count = lists.counts[v];
    if (count == 0 && acc == y) return;
    const unsigned int *tokens = count > 0 ? lists.tokens + lists.begins[v] : nullptr;
    for (unsigned int c = threadIdx.x * W; c < columns; c += blockDim.x * W) {
        ms_pack<W> value = ms_pack_of<W>(0.0f);
        if (count > 0) {
            ms_pack<W> sum = ms_load_pack<W>(dy, tokens[0] * columns + c);
#pragma unroll 8 // a common token's row is one long chain of loads
            for (unsigned int i = 1; i < count; i++)
                sum = ms_pack_add(sum, ms_load_pack<W>(dy, tokens[i] * columns + c));
            value = ms_pack_scale(sum, scale);
        }
        if (acc) {
            ms_pack<W> old = ms_load_pack<W>(acc, v * columns + c);
            value = count > 0 ? ms_pack_add(old, value) : old;
        }
        ms_store_pack<W>(y, v * columns + c, value);
    }
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
    out->counts = take((char *)memory, &size_bytes, vocabulary + 1);
    out->begins = take((char *)memory, &size_bytes, vocabulary);
    out->arrivals = take((char *)memory, &size_bytes, n_tokens);
    out->unsorted = take((char *)memory, &size_bytes, n_tokens);
    out->tokens = take((char *)memory, &size_bytes, n_tokens);
    return size_bytes;
}

static ms_status make_lists(const ms_cuda_call *call, const token_lists &lists) {
    unsigned int blocks = ms_thread_blocks(lists.n_tokens, THREADS);
    MS_CUDA_TRY(cudaMemsetAsync(lists.counts, 0, ((size_t)lists.vocabulary + 1) * sizeof *lists.counts, call->stream),
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
    int64_t columns = call->out[0].shape.dim[1];
    unsigned int width = 1;
    while (width < THREADS && (int64_t)width * W < columns) width *= 2;
    dim3 block(width, THREADS / width);
    MS_LAUNCH((sum_kernel<W, T>), ms_thread_blocks(lists.vocabulary, block.y), block, 0, call->stream, lists,
              (const T *)call->in[1].data, (const float *)call->in[2].data, (float *)call->out[0].data,
              call->attributes->embed.scale, (unsigned int)columns);
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
