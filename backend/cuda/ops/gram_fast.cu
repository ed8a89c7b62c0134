// Fast x x^T (or x^T x) of f32 stacks on tensor cores: only tiles of the upper triangle are computed, and stored twice.
// A thread block makes 128 x 128 results of one matrix, 32 of the depth at a time; the numbers of the next step are on their
// way to registers meanwhile.  Eight warps have 64 x 32 results each.
#include "backend/cuda/ops/mma.cuh"
#include "backend/cuda/ops/pack.cuh"
#include "backend/cuda/ops/gemm.cuh"

enum {
    THREADS = 256,
    SIDE = 128,
    STEP = 32,               // of the depth
    ROW_STRIDE = STEP + 4,   // tiles [row][depth]: 4 modulo 32 banks, for ldmatrix
    DEPTH_STRIDE = SIDE + 8, // tiles [depth][row], of the transposed form: 8 modulo 32, for single words
    QUADS = SIDE * STEP / 4 / THREADS
};

struct fast_gram {
    const float *x;
    float *y;
    unsigned int n, depth, tiles; // tiles along a side
};

template <bool TRANSPOSED> struct gram_tile {
    static constexpr int WORDS = TRANSPOSED ? STEP * DEPTH_STRIDE : SIDE * ROW_STRIDE;
    static constexpr size_t BYTES = sizeof(unsigned int) * 4 * WORDS; // of both factors, twice
};

// The thread's numbers of a tile: rows from `first`, depths from k; 0 outside.
template <bool TRANSPOSED>
static __device__ __forceinline__ void fetch(float4 (&quad)[QUADS], const float *x, const fast_gram &p,
                                             unsigned int first, unsigned int k) {
#pragma unroll
    for (int j = 0; j < QUADS; j++) {
        unsigned int i = threadIdx.x + j * THREADS;
        unsigned int row = first + (TRANSPOSED ? 4 * (i % (SIDE / 4)) : i / (STEP / 4));
        unsigned int at = k + (TRANSPOSED ? i / (SIDE / 4) : 4 * (i % (STEP / 4)));
        bool exists = row < p.n && at < p.depth;
        quad[j] = make_float4(0, 0, 0, 0);
        if (exists) quad[j] = *reinterpret_cast<const float4 *>(x + (TRANSPOSED ? at * p.n + row : row * p.depth + at));
    }
}

template <bool TRANSPOSED> static __device__ __forceinline__ void put(unsigned int *tile, const float4 (&quad)[QUADS]) {
#pragma unroll
    for (int j = 0; j < QUADS; j++) {
        unsigned int i = threadIdx.x + j * THREADS;
        unsigned int at = TRANSPOSED ? i / (SIDE / 4) * DEPTH_STRIDE + 4 * (i % (SIDE / 4))
                                     : i / (STEP / 4) * ROW_STRIDE + 4 * (i % (STEP / 4));
        *reinterpret_cast<uint4 *>(&tile[at]) =
            make_uint4(ms_tf32_of(quad[j].x), ms_tf32_of(quad[j].y), ms_tf32_of(quad[j].z), ms_tf32_of(quad[j].w));
    }
}

// Fragment of sixteen rows and eight depths.
template <bool TRANSPOSED>
static __device__ __forceinline__ void left_fragment(unsigned (&a)[4], const unsigned int *tile, unsigned int row,
                                                     unsigned int depth) {
    unsigned int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    if constexpr (TRANSPOSED) {
        const unsigned int *from = tile + (depth + t) * DEPTH_STRIDE + row + g;
        a[0] = from[0], a[1] = from[8], a[2] = from[4 * DEPTH_STRIDE], a[3] = from[4 * DEPTH_STRIDE + 8];
    } else {
        ms_ldmatrix_x4(a, tile + (row + lane % 16) * ROW_STRIDE + depth + lane / 16 * 4);
    }
}

// Fragments of eight rows and the next eight as columns of the right factor.
template <bool TRANSPOSED>
static __device__ __forceinline__ void right_fragments(unsigned (&b)[4], const unsigned int *tile, unsigned int row,
                                                       unsigned int depth) {
    unsigned int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    if constexpr (TRANSPOSED) {
        const unsigned int *from = tile + (depth + t) * DEPTH_STRIDE + row + g;
        b[0] = from[0], b[1] = from[4 * DEPTH_STRIDE], b[2] = from[8], b[3] = from[4 * DEPTH_STRIDE + 8];
    } else {
        ms_ldmatrix_x4(b, tile + (row + lane % 8 + lane / 16 * 8) * ROW_STRIDE + depth + lane % 16 / 8 * 4);
    }
}

// The warp's place in the thread block's results.
static __device__ __forceinline__ unsigned int warp_row() { return threadIdx.x / 128 * 64; }
static __device__ __forceinline__ unsigned int warp_column() { return threadIdx.x / 32 % 4 * 32; }

template <bool TRANSPOSED>
static __device__ __forceinline__ void add_products(float (&sum)[4][4][4], const unsigned int *left,
                                                    const unsigned int *right) {
#pragma unroll 2 // all four at once would spill registers
    for (int depth = 0; depth < STEP; depth += 8) {
        unsigned a[4][4];
#pragma unroll
        for (int m = 0; m < 4; m++) left_fragment<TRANSPOSED>(a[m], left, warp_row() + 16 * m, depth);
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
            unsigned b[4];
            right_fragments<TRANSPOSED>(b, right, warp_column() + 8 * n, depth);
            const unsigned low[2] = {b[0], b[1]}, high[2] = {b[2], b[3]};
#pragma unroll
            for (int m = 0; m < 4; m++) {
                ms_mma_tf32_16x8x8(sum[m][n], a[m], low);
                ms_mma_tf32_16x8x8(sum[m][n + 1], a[m], high);
            }
        }
    }
}

// Results on and above the diagonal, and their mirror image.
static __device__ __forceinline__ void store(float *y, unsigned int n, unsigned int first_row,
                                             unsigned int first_column, const float (&sum)[4][4][4]) {
    unsigned int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int c = 0; c < 4; c++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                unsigned int row = first_row + warp_row() + 16 * m + g + (e < 2 ? 0 : 8);
                unsigned int column = first_column + warp_column() + 8 * c + 2 * t + e % 2;
                if (column >= n || row > column) continue;
                y[row * n + column] = sum[m][c][e];
                y[column * n + row] = sum[m][c][e];
            }
}

template <bool TRANSPOSED> static __global__ void __launch_bounds__(THREADS) gram_kernel(fast_gram p) {
    MS_DYNAMIC_SHARED(unsigned int, memory);
    const int WORDS = gram_tile<TRANSPOSED>::WORDS;
    unsigned int per_matrix = p.tiles * (p.tiles + 1) / 2, rest = blockIdx.x % per_matrix, tile_y = 0;
    while (rest >= p.tiles - tile_y) rest -= p.tiles - tile_y++;
    unsigned int first_row = tile_y * SIDE, first_column = (tile_y + rest) * SIDE;
    const float *x = p.x + (size_t)(blockIdx.x / per_matrix) * p.n * p.depth;
    float4 left[QUADS], right[QUADS];
    float sum[4][4][4];
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) sum[m][n][e] = 0;
    fetch<TRANSPOSED>(left, x, p, first_row, 0);
    fetch<TRANSPOSED>(right, x, p, first_column, 0);
    put<TRANSPOSED>(memory, left);
    put<TRANSPOSED>(memory + WORDS, right);
    __syncthreads();
    unsigned int *now = memory, *next = memory + 2 * WORDS;
    for (unsigned int k = STEP; k < p.depth; k += STEP) {
        fetch<TRANSPOSED>(left, x, p, first_row, k);
        fetch<TRANSPOSED>(right, x, p, first_column, k);
        add_products<TRANSPOSED>(sum, now, now + WORDS);
        put<TRANSPOSED>(next, left);
        put<TRANSPOSED>(next + WORDS, right);
        __syncthreads();
        unsigned int *other = now;
        now = next;
        next = other;
    }
    add_products<TRANSPOSED>(sum, now, now + WORDS);
    store(p.y + (size_t)(blockIdx.x / per_matrix) * p.n * p.n, p.n, first_row, first_column, sum);
}

template <bool TRANSPOSED>
static ms_status run(const ms_cuda_call *call, const ms_cuda_gemm *gemm, const fast_gram &p) {
    const size_t bytes = gram_tile<TRANSPOSED>::BYTES;
    MS_TRY(ms_allow_shared_bytes(gram_kernel<TRANSPOSED>, bytes));
    MS_LAUNCH(gram_kernel<TRANSPOSED>, (unsigned int)gemm->batch * (p.tiles * (p.tiles + 1) / 2), THREADS, bytes,
              call->stream, p);
    return ms_cuda_launched(call);
}

bool ms_cuda_fast_gram_takes(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    const ms_cuda_factor *x = &gemm->left;
    return gemm->symmetric && x->operand->dtype == MS_DTYPE_F32 && gemm->y->dtype == MS_DTYPE_F32 &&
           call->limits->compute_major >= 8 && call->limits->shared_optin_bytes >= gram_tile<false>::BYTES &&
           ms_is_packs(x->operand, ms_factor_stride(x), 4);
}

ms_status ms_cuda_fast_gram(const ms_cuda_call *call, const ms_cuda_gemm *gemm) {
    fast_gram p;
    p.x = static_cast<const float *>(gemm->left.operand->data);
    p.y = static_cast<float *>(gemm->y->data);
    p.n = (unsigned int)gemm->left.n_rows;
    p.depth = (unsigned int)gemm->left.depth;
    p.tiles = ms_thread_blocks(p.n, SIDE);
    return gemm->left.transposed ? run<true>(call, gemm, p) : run<false>(call, gemm, p);
}
