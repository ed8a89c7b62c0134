// The reduction rule of `exact` numerics, in which every sum is formed: backend/cpu/reduce.h has its definition.
//
// Absent lanes and the start of each lane are -0, the neutral element of addition: x + -0 is x with its sign, and NaN
// stays NaN. So "lanes without terms are left out" and "sums start from their first term" need no conditions, and the
// bits are the same.
#ifndef MS_BACKEND_CUDA_REDUCE_CUH
#define MS_BACKEND_CUDA_REDUCE_CUH

#include "backend/cuda/ops/pack.cuh"
#include "backend/exact_constants.h"

#define MS_FULL_WARP 0xffffffffu

static __device__ __forceinline__ float ms_absent() { return __uint_as_float(0x80000000u); }

static inline int64_t ms_block_count(int64_t n) { return (n + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK; }

// The halving tree over 32 lanes held by 32 / W neighbouring threads of a warp, W lanes each; all get the sum.  Called
// by whole warps.
template <int W> static __device__ __forceinline__ float ms_lane_tree(ms_pack<W> lanes) {
#pragma unroll
    for (int distance = MS_LANES / 2; distance >= W; distance /= 2) {
        ms_pack<W> other;
#pragma unroll
        for (int j = 0; j < W; j++) other.x[j] = __shfl_xor_sync(MS_FULL_WARP, lanes.x[j], distance / W);
        lanes = ms_pack_add(lanes, other);
    }
#pragma unroll
    for (int distance = W / 2; distance > 0; distance /= 2)
#pragma unroll
        for (int j = 0; j < distance; j++) lanes.x[j] = ms_add(lanes.x[j], lanes.x[j + distance]);
    return lanes.x[0];
}

// Adds to a thread's lanes their terms from i on, STRIDE apart, ascending, as far as they lie before `end`; fetch(i) gives
// terms i to i + W - 1 as an ms_pack<W>.  N rounds are fetched before the first of them is added, so that their loads are
// in flight together; then, of what is left, half as many, and so on.  Counters are signed: unsigned ones may wrap, so
// that nvcc tests each round for the end, and one load at a time is in flight.
template <int N, int STRIDE = MS_LANES, int W, class Term>
static __device__ __forceinline__ void ms_add_rounds(ms_pack<W> &lanes, int i, int end, Term fetch) {
#pragma unroll 1
    for (; i + (N - 1) * STRIDE < end; i += N * STRIDE) {
        ms_pack<W> term[N];
#pragma unroll
        for (int k = 0; k < N; k++) term[k] = fetch((unsigned int)(i + k * STRIDE));
#pragma unroll
        for (int k = 0; k < N; k++) lanes = ms_pack_add(lanes, term[k]);
    }
    if constexpr (N > 1) ms_add_rounds<N / 2, STRIDE>(lanes, i, end, fetch);
}

// Adds term i_term, known to all, of a level above to the lanes of this thread; i_term ascends.
template <int W>
static __device__ __forceinline__ void ms_level_add(ms_pack<W> &lanes, float term, unsigned int i_term,
                                                    unsigned int thread) {
#pragma unroll
    for (int j = 0; j < W; j++)
        if (i_term % MS_LANES == thread * W + j) lanes.x[j] = ms_add(lanes.x[j], term);
}

// The sum of n <= 4096^2 terms, by 32 / W neighbouring threads; term(i) gives terms i to i + W - 1 as an ms_pack<W>, N of
// which are fetched ahead.  W divides n and 32.  Called by whole warps with the same n; a thread that is not `active` has no terms.  No barrier.
template <int W, int N = (W > 1 ? 4 : 8), class Term>
static __device__ __forceinline__ float ms_lane_sum(unsigned int n, bool active, Term term) {
    unsigned int thread = threadIdx.x % (MS_LANES / W);
    ms_pack<W> level = ms_pack_of<W>(ms_absent());
    for (unsigned int begin = 0;; begin += MS_REDUCE_BLOCK) {
        unsigned int end = active ? min(n, begin + MS_REDUCE_BLOCK) : 0;
        ms_pack<W> lanes = ms_pack_of<W>(ms_absent());
        ms_add_rounds<N>(lanes, (int)(begin + thread * W), (int)end, term);
        float sum = ms_lane_tree(lanes);
        if (n <= MS_REDUCE_BLOCK) return sum;
        ms_level_add(level, sum, begin / MS_REDUCE_BLOCK, thread);
        if (n - begin <= MS_REDUCE_BLOCK) return ms_lane_tree(level);
    }
}

// Sum of n <= 4096 terms in shared memory, by each warp that calls it for itself.
static __device__ __forceinline__ float ms_staged_sum(const float *terms, unsigned int n) {
    ms_pack<1> lane = {{ms_absent()}};
    ms_add_rounds<8>(lane, (int)(threadIdx.x % MS_LANES), (int)n,
                     [terms](unsigned int i) { return ms_load_pack<1>(terms, i); });
    return ms_lane_tree<1>(lane);
}

enum { MS_REDUCE_THREADS = 256 };

// The sum of n <= 4096^2 numbers by a thread block of MS_REDUCE_THREADS; all threads get it.  Once in a kernel.
static __device__ __forceinline__ float ms_block_reduce(const float *x, unsigned int n) {
    MS_SHARED(float, sums, [MS_REDUCE_BLOCK]);
    unsigned int warp = threadIdx.x / 32, lane = threadIdx.x % 32, n_blocks = (n + MS_REDUCE_BLOCK - 1) / MS_REDUCE_BLOCK;
    for (unsigned int block = warp; block < n_blocks; block += MS_REDUCE_THREADS / 32) {
        const float *part = x + block * MS_REDUCE_BLOCK;
        float sum = ms_lane_sum<1>(min(n - block * MS_REDUCE_BLOCK, (unsigned int)MS_REDUCE_BLOCK), true,
                                   [part](unsigned int i) { return ms_load_pack<1>(part, i); });
        if (lane == 0) sums[block] = sum;
    }
    __syncthreads();
    const float *terms = sums;
    return ms_lane_sum<1>(n_blocks, true, [terms](unsigned int i) { return ms_load_pack<1>(terms, i); });
}

#endif
