// Sums of whole tensors or of parts of them by the reduction rule, for sum and sum_squares: one launch sums each block
// of 4096 terms, a second the sums of blocks, where there is more than one.
//
// A lane of a block is a chain of 128 sums.  So a thread block takes one block of the rule, all its threads load terms into
// shared memory, all their loads in flight together, and one warp sums the lanes from there.
#ifndef MS_BACKEND_CUDA_SUMS_CUH
#define MS_BACKEND_CUDA_SUMS_CUH

#include "backend/cuda/ops/reduce.cuh"

// Matrices one after the other, each cut into parts.
struct ms_parts {
    unsigned int n_matrices, n_parts;              // parts of one matrix
    unsigned int part_begin[MS_MAX_ROW_GROUPS + 1];  // elements, within a matrix; the last is the matrix's size
    unsigned int block_begin[MS_MAX_ROW_GROUPS + 1]; // blocks, within a matrix
};

// Appends a part of `count` elements.
static inline void ms_parts_add(ms_parts *parts, int64_t count) {
    unsigned int p = parts->n_parts++;
    parts->part_begin[p + 1] = parts->part_begin[p] + (unsigned int)count;
    parts->block_begin[p + 1] = parts->block_begin[p] + (unsigned int)ms_block_count(count);
}

static inline int64_t ms_parts_blocks(const ms_parts *parts) {
    return (int64_t)parts->n_matrices * parts->block_begin[parts->n_parts];
}

static inline size_t ms_sums_workspace(const ms_parts *parts) { return (size_t)ms_parts_blocks(parts) * sizeof(float); }

enum { MS_SUMS_THREADS = 128 };

// sums[block of all matrices], a thread block each.
template <int W, bool SQUARES, class T>
static __global__ void __launch_bounds__(MS_SUMS_THREADS, 1)
    ms_block_sums_kernel(const T *x, float *sums, ms_parts parts) {
    MS_SHARED(float, terms, [MS_REDUCE_BLOCK]);
    unsigned int per_matrix = parts.block_begin[parts.n_parts], matrix = blockIdx.x / per_matrix,
                 block = blockIdx.x - matrix * per_matrix;
    unsigned int begin = 0, end = 0;
#pragma unroll
    for (unsigned int p = 0; p < MS_MAX_ROW_GROUPS; p++) {
        if (p >= parts.n_parts || block < parts.block_begin[p] || block >= parts.block_begin[p + 1]) continue;
        begin = parts.part_begin[p] + (block - parts.block_begin[p]) * MS_REDUCE_BLOCK;
        end = min(parts.part_begin[p + 1], begin + MS_REDUCE_BLOCK);
    }
    const T *numbers = x + matrix * parts.part_begin[parts.n_parts] + begin;
    const int count = (int)(end - begin), n_rounds = MS_REDUCE_BLOCK / (MS_SUMS_THREADS * W);
    ms_pack<W> term[n_rounds];
    // Past the end of a short block the last pack is loaded again: a condition for each load would need more predicates than
    // there are.
#pragma unroll
    for (int k = 0; k < n_rounds; k++)
        term[k] = ms_load_pack<W>(numbers, (unsigned int)min((k * MS_SUMS_THREADS + (int)threadIdx.x) * W, count - W));
#pragma unroll
    for (int k = 0; k < n_rounds; k++)
        ms_store_pack<W>(terms, (k * MS_SUMS_THREADS + threadIdx.x) * W,
                         SQUARES ? ms_pack_mul(term[k], term[k]) : term[k]);
    __syncthreads();
    if (threadIdx.x >= MS_LANES) return;
    float sum = ms_staged_sum(terms, (unsigned int)count);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// y[matrix, part] from the sums of blocks; a part without elements gives 0.
static __global__ void __launch_bounds__(MS_REDUCE_THREADS)
    ms_part_sums_kernel(const float *sums, float *y, ms_parts parts) {
    unsigned int matrix = blockIdx.x / parts.n_parts, p = blockIdx.x % parts.n_parts;
    unsigned int begin = parts.block_begin[p], n = parts.block_begin[p + 1] - begin;
    float sum = n > 0 ? ms_block_reduce(sums + matrix * parts.block_begin[parts.n_parts] + begin, n) : 0.0f;
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

template <int W, bool SQUARES, class T>
static ms_status ms_launch_block_sums(const ms_cuda_call *call, const ms_parts *parts, float *sums) {
    MS_LAUNCH((ms_block_sums_kernel<W, SQUARES, T>),
              (unsigned int)ms_parts_blocks(parts), MS_SUMS_THREADS, 0, call->stream,
              (const T *)call->in[0].data, sums, *parts);
    return ms_cuda_launched(call);
}

// out[0] = sums of in[0], or of its squares.
template <bool SQUARES, class T> static ms_status ms_run_sums(const ms_cuda_call *call, const ms_parts *parts) {
    const int width = MS_PACK_WIDTH(T);
    bool packs = true, one_block_each = true;
    for (unsigned int p = 0; p < parts->n_parts; p++) {
        packs = packs && ms_is_packs(&call->in[0], parts->part_begin[p + 1], width);
        one_block_each = one_block_each && parts->block_begin[p + 1] == p + 1;
    }
    float *y = (float *)call->out[0].data, *sums = one_block_each ? y : (float *)call->workspace;
    if (packs)
        MS_TRY((ms_launch_block_sums<width, SQUARES, T>(call, parts, sums)));
    else
        MS_TRY((ms_launch_block_sums<1, SQUARES, T>(call, parts, sums)));
    if (one_block_each) return MS_OK;
    MS_LAUNCH(ms_part_sums_kernel, parts->n_matrices * parts->n_parts, MS_REDUCE_THREADS, 0, call->stream, sums, y,
              *parts);
    return ms_cuda_launched(call);
}

#endif
