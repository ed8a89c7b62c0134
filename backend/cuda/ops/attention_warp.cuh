// Tiles of fast attention: four warps multiply their rows on tensor cores (mma.cuh) with N columns at a time.  Rows are
// what a thread block owns: queries, or keys in the gradient of keys and values; columns are what it walks over.
//
// Shared memory holds rows of words: one number rounded to TF32, or two bf16.  Rows begin 4 banks apart, so that the
// eight 16-byte pieces of an ldmatrix lie in different banks, and so do the single words of f32 that sums over rows
// take.  A warp's own fragments stay in registers where they are few.
//
// Numbers past the head and rows past the sequence are 0.  SIZE is the head size rounded up to 32, 64 or 128.
#ifndef MS_BACKEND_CUDA_ATTENTION_WARP_CUH
#define MS_BACKEND_CUDA_ATTENTION_WARP_CUH

#include "backend/cuda/ops/attention.cuh"
#include "backend/cuda/ops/mma.cuh"

enum { WARP_THREADS = 128, N_WARPS = WARP_THREADS / 32, MAX_WARP_SIZE = 128 };

static const float LOG2_E = 1.44269504f;

// 16 bytes of a head as words.
static __device__ __forceinline__ uint4 words_of(uint4 bits, const float *) {
    return make_uint4(ms_tf32_of(__uint_as_float(bits.x)), ms_tf32_of(__uint_as_float(bits.y)),
                      ms_tf32_of(__uint_as_float(bits.z)), ms_tf32_of(__uint_as_float(bits.w)));
}
static __device__ __forceinline__ uint4 words_of(uint4 bits, const ms_bf16 *) { return bits; }

static __device__ __forceinline__ unsigned int element_bits(const float *p, unsigned int i, bool exists) {
    return exists ? __float_as_uint(p[i]) : 0u;
}
// Elements i and i + 1.
static __device__ __forceinline__ unsigned int element_bits(const ms_bf16 *p, unsigned int i, bool first, bool second) {
    const unsigned short *bits = reinterpret_cast<const unsigned short *>(p);
    return (first ? bits[i] : 0u) | (second ? (unsigned int)bits[i + 1] << 16 : 0u);
}

// 16 bytes from number n of a row, without assumptions about alignment.
static __device__ __forceinline__ uint4 load_single(const float *p, unsigned int i, unsigned int n, unsigned int size) {
    return make_uint4(element_bits(p, i, n < size), element_bits(p, i + 1, n + 1 < size),
                      element_bits(p, i + 2, n + 2 < size), element_bits(p, i + 3, n + 3 < size));
}
static __device__ __forceinline__ uint4 load_single(const ms_bf16 *p, unsigned int i, unsigned int n,
                                                    unsigned int size) {
    return make_uint4(element_bits(p, i, n < size, n + 1 < size), element_bits(p, i + 2, n + 2 < size, n + 3 < size),
                      element_bits(p, i + 4, n + 4 < size, n + 5 < size),
                      element_bits(p, i + 6, n + 6 < size, n + 7 < size));
}

// What differs between f32 and bf16.
template <class T, int SIZE> struct warp_tile {
    static constexpr int PER_WORD = 4 / (int)sizeof(T);
    static constexpr int WORDS = SIZE / PER_WORD;
    static constexpr int STEPS = WORDS / 8; // of products over a head
    static constexpr int STRIDE = WORDS + 4;
    static constexpr int BUFFERS = PER_WORD; // f32 is rounded on its way, so its copies cannot go on by themselves
    static constexpr int words(int n_rows) { return n_rows * STRIDE; }
};

// Begins to copy rows first to first + N - 1; they are there after finish_copies.
template <class T, int SIZE, int N>
static __device__ __forceinline__ void start_copy(unsigned int *tile, ms_cuda_head<const T> head, unsigned int first,
                                                  const ms_cuda_attention_shape &shape) {
    using layout = warp_tile<T, SIZE>;
    const unsigned int per_row = layout::WORDS / 4;
    const int n_rounds = N * per_row / WARP_THREADS;
    static_assert(N * per_row % WARP_THREADS == 0, "whole rounds");
    // Of round r: its row, its first number and where in the tile.
    auto row_of = [](int r) { return (r * WARP_THREADS + threadIdx.x) / per_row; };
    auto number_at = [](int r) { return 4 * ((r * WARP_THREADS + threadIdx.x) % per_row) * layout::PER_WORD; };
    auto place_of = [=](int r) { return tile + row_of(r) * layout::STRIDE + number_at(r) / layout::PER_WORD; };
    if (!shape.packs) {
#pragma unroll 1
        for (int r = 0; r < n_rounds; r++) {
            uint4 words = make_uint4(0, 0, 0, 0);
            unsigned int row = first + row_of(r);
            if (row < shape.sequence)
                words = load_single(head.data, row * head.stride + number_at(r), number_at(r), shape.head_size);
            *reinterpret_cast<uint4 *>(place_of(r)) = words_of(words, head.data);
        }
    } else if constexpr (sizeof(T) == 2) {
        // They go on by themselves, so few instructions beside each other suffice: two of heads of 32 take more registers on 10.0 than
        // ptxas gives.
#pragma unroll (SIZE == 32 ? 1 : n_rounds)
        for (int r = 0; r < n_rounds; r++) {
            bool exists = first + row_of(r) < shape.sequence && number_at(r) < shape.head_size;
            ms_copy_async(place_of(r), head.data + (exists ? (first + row_of(r)) * head.stride + number_at(r) : 0), exists);
        }
    } else {
        uint4 words[n_rounds]; // all loads before the first is used
#pragma unroll
        for (int r = 0; r < n_rounds; r++) {
            unsigned int row = first + row_of(r);
            bool exists = row < shape.sequence && number_at(r) < shape.head_size;
            words[r] = exists ? *reinterpret_cast<const uint4 *>(head.data + row * head.stride + number_at(r))
                              : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int r = 0; r < n_rounds; r++) *reinterpret_cast<uint4 *>(place_of(r)) = words_of(words[r], head.data);
    }
}

static __device__ __forceinline__ void finish_copies() {
    ms_wait_for_copies();
    __syncthreads();
}

static __device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                                const float *) {
    const unsigned b[2] = {b0, b1};
    ms_mma_tf32_16x8x8(d, a, b);
}
static __device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                                const ms_bf16 *) {
    const unsigned b[2] = {b0, b1};
    ms_mma_bf16_16x8x16(d, a, b);
}

// The lane's place in fragments.
static __device__ __forceinline__ unsigned int lane_group() { return threadIdx.x % 32 / 4; }
static __device__ __forceinline__ unsigned int lane_place() { return threadIdx.x % 4; }
// Element e of a result's fragment n: its row among the block's, its column among the tile's (or its number of the
// head).  A warp has row tiles of 16, N_WARPS of them apart.
static __device__ __forceinline__ unsigned int fragment_row(int tile, int e) {
    return (tile * N_WARPS + threadIdx.x / 32) * 16 + lane_group() + (e < 2 ? 0 : 8);
}
static __device__ __forceinline__ unsigned int fragment_column(int n, int e) {
    return 8 * n + 2 * lane_place() + e % 2;
}

template <int N> static __device__ __forceinline__ void clear(float (&d)[N][4]) {
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) d[n][e] = 0;
}

// A warp's own rows as the left factor of products over a head: TILES x 16 of them.  KEPT: in registers.
template <class T, int SIZE, int TILES, bool KEPT> struct own_rows {
    using layout = warp_tile<T, SIZE>;
    unsigned kept[KEPT ? TILES : 1][KEPT ? layout::STEPS : 1][4];
    const unsigned int *place; // where the lane loads from, unless kept

    // From a tile of 16 TILES N_WARPS rows, which must stay unless they are kept.
    __device__ __forceinline__ void take(const unsigned int *tile) {
        place = tile + (threadIdx.x / 32 * 16 + threadIdx.x % 16) * layout::STRIDE + threadIdx.x % 32 / 16 * 4;
        if constexpr (KEPT) {
#pragma unroll
            for (int i = 0; i < TILES; i++)
#pragma unroll
                for (int step = 0; step < layout::STEPS; step++) ms_ldmatrix_x4(kept[i][step], at(i, step));
        }
    }
    __device__ __forceinline__ void get(unsigned (&a)[4], int i, int step) const {
        if constexpr (KEPT) {
#pragma unroll
            for (int j = 0; j < 4; j++) a[j] = kept[i][step][j];
        } else {
            ms_ldmatrix_x4(a, at(i, step));
        }
    }
    __device__ __forceinline__ const unsigned int *at(int i, int step) const {
        return place + i * N_WARPS * 16 * layout::STRIDE + 8 * step;
    }
};

// score = the warp's rows times N columns of a tile.
template <class T, int SIZE, int N, int TILES, bool KEPT>
static __device__ __forceinline__ void
matmul(float (&score)[TILES][N / 8][4], const own_rows<T, SIZE, TILES, KEPT> &rows, const unsigned int *columns) {
    using layout = warp_tile<T, SIZE>;
    // Of two groups of eight columns: words t and t + 4 of the first, then of the second.
    const unsigned int *from =
        columns + (threadIdx.x % 8 + threadIdx.x % 32 / 16 * 8) * layout::STRIDE + threadIdx.x % 16 / 8 * 4;
#pragma unroll
    for (int i = 0; i < TILES; i++) clear(score[i]);
#pragma unroll
    for (int step = 0; step < layout::STEPS; step++) {
        unsigned a[TILES][4];
#pragma unroll
        for (int i = 0; i < TILES; i++) rows.get(a[i], i, step);
#pragma unroll
        for (int n = 0; n < N / 8; n += 2) {
            unsigned b[4];
            ms_ldmatrix_x4(b, from + 8 * n * layout::STRIDE + 8 * step);
#pragma unroll
            for (int i = 0; i < TILES; i++) {
                multiply(score[i][n], a[i], b[0], b[1], (const T *)NULL);
                multiply(score[i][n + 1], a[i], b[2], b[3], (const T *)NULL);
            }
        }
    }
}

static __device__ __forceinline__ unsigned int bf16_pair(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return (unsigned int)__bfloat16_as_ushort(pair.x) | (unsigned int)__bfloat16_as_ushort(pair.y) << 16;
}

// sum += weights (as `matmul` leaves them, rounded to T or TF32) times N rows of a tile.
template <int SIZE, int N, int TILES>
static __device__ __forceinline__ void weigh(float (&sum)[TILES][SIZE / 8][4], const float (&weight)[TILES][N / 8][4],
                                             const unsigned int *values, const float *type) {
    const int stride = warp_tile<float, SIZE>::STRIDE;
    // The fragments of scores hold columns 2 t and 2 t + 1 where a left factor has words t and t + 4; rows of values
    // are taken in the same order.
    const unsigned int *from = values + 2 * lane_place() * stride + lane_group();
#pragma unroll
    for (int s = 0; s < N / 8; s++) {
        unsigned a[TILES][4];
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            const float(&w)[4] = weight[i][s];
            a[i][0] = ms_tf32_of(w[0]), a[i][1] = ms_tf32_of(w[2]);
            a[i][2] = ms_tf32_of(w[1]), a[i][3] = ms_tf32_of(w[3]);
        }
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++) {
            unsigned b0 = from[8 * s * stride + 8 * n], b1 = from[(8 * s + 1) * stride + 8 * n];
#pragma unroll
            for (int i = 0; i < TILES; i++) multiply(sum[i][n], a[i], b0, b1, type);
        }
    }
}
template <int SIZE, int N, int TILES>
static __device__ __forceinline__ void weigh(float (&sum)[TILES][SIZE / 8][4], const float (&weight)[TILES][N / 8][4],
                                             const unsigned int *values, const ms_bf16 *type) {
    const int stride = warp_tile<ms_bf16, SIZE>::STRIDE;
    // Of sixteen rows: the first eight and the last eight of eight numbers, then of the next eight numbers.
    const unsigned int *from = values + threadIdx.x % 16 * stride + threadIdx.x % 32 / 16 * 4;
#pragma unroll
    for (int s = 0; s < N / 16; s++) {
        unsigned a[TILES][4];
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            const float(&low)[4] = weight[i][2 * s], (&high)[4] = weight[i][2 * s + 1];
            a[i][0] = bf16_pair(low[0], low[1]), a[i][1] = bf16_pair(low[2], low[3]);
            a[i][2] = bf16_pair(high[0], high[1]), a[i][3] = bf16_pair(high[2], high[3]);
        }
#pragma unroll
        for (int n = 0; n < SIZE / 8; n += 2) {
            unsigned b[4];
            ms_ldmatrix_x4_trans(b, from + 16 * s * stride + 4 * n);
#pragma unroll
            for (int i = 0; i < TILES; i++) {
                multiply(sum[i][n], a[i], b[0], b[1], type);
                multiply(sum[i][n + 1], a[i], b[2], b[3], type);
            }
        }
    }
}

static __device__ __forceinline__ void store_two(float *p, unsigned int i, float x, float y) {
    *reinterpret_cast<float2 *>(p + i) = make_float2(x, y);
}
static __device__ __forceinline__ void store_two(ms_bf16 *p, unsigned int i, float x, float y) {
    *reinterpret_cast<unsigned int *>(p + i) = bf16_pair(x, y);
}

// Stores the warp's rows times `factor` of each: of tile i, rows g and g + 8.
template <int SIZE, int TILES, class T>
static __device__ __forceinline__ void
store_rows(ms_cuda_head<T> to, unsigned int first_row, const float (&value)[TILES][SIZE / 8][4],
           const float (&factor)[TILES][2], const ms_cuda_attention_shape &shape) {
#pragma unroll
    for (int part = 0; part < 2 * TILES; part++) {
        const int i = part / 2, e = part % 2 * 2;
        unsigned int row = first_row + fragment_row(i, e);
        if (row >= shape.sequence) continue;
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++) {
            unsigned int number = fragment_column(n, 0), at = row * to.stride + number;
            float x = value[i][n][e] * factor[i][e / 2], y = value[i][n][e + 1] * factor[i][e / 2];
            if (shape.packs) {
                if (number < shape.head_size) store_two(to.data, at, x, y);
                continue;
            }
            if (number < shape.head_size) ms_store_element(to.data, at, x);
            if (number + 1 < shape.head_size) ms_store_element(to.data, at + 1, y);
        }
    }
}

#endif
