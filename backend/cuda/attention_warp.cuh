// Tiles of fast attention: four warps, each with 16 of a block's 64 rows, multiply on tensor cores (mma.cuh) against N
// columns at a time.  Rows are what a block owns: queries, or keys in the gradient of keys and values; columns are what
// it walks over.
//
// In shared memory there are words: one number rounded to TF32, or two bf16.  Two layouts, both free of bank conflicts:
//     rows   [row][SIZE numbers]      for sums over the numbers of a head (scores)
//     pairs  [row / 2][SIZE] of bf16 from rows 2 i and 2 i + 1, [row][SIZE] of f32      for sums over rows (weighted
//     values)
// A fragment's words t and t + 4 are taken from places 2 t and 2 t + 1 (rows: one 8-byte load; pairs of f32: what the
// scores' fragments hold), for both factors alike, which only changes the order within a sum.
//
// Numbers past the head and rows past the sequence are 0.  SIZE is the head size rounded up to 32, 64 or 128.
#ifndef MS_BACKEND_CUDA_ATTENTION_WARP_CUH
#define MS_BACKEND_CUDA_ATTENTION_WARP_CUH

#include "backend/cuda/attention.cuh"
#include "backend/cuda/mma.cuh"

enum { WARP_THREADS = 128, WARP_ROWS = 64, MAX_WARP_SIZE = 128 };

static const float LOG2_E = 1.44269504f, LOG_2 = 0.693147181f;

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

// 16 bytes from number n of row `row` of a head.
template <class T>
static __device__ __forceinline__ uint4 load_words(ms_cuda_head<const T> head, unsigned int row, unsigned int n,
                                                   const ms_cuda_attention_shape &shape) {
    if (row >= shape.sequence || n >= shape.head_size) return make_uint4(0, 0, 0, 0);
    unsigned int i = row * head.stride + n;
    uint4 bits =
        shape.packs ? *reinterpret_cast<const uint4 *>(head.data + i) : load_single(head.data, i, n, shape.head_size);
    return words_of(bits, head.data);
}

// What differs between f32 and bf16.
template <class T, int SIZE> struct warp_tile {
    static constexpr int PER_WORD = 4 / (int)sizeof(T);
    static constexpr int WORDS = SIZE / PER_WORD;
    static constexpr int ROW_STRIDE = WORDS + 8;                       // words; 8 or 24 modulo 32 banks
    static constexpr int PAIR_STRIDE = SIZE + (PER_WORD == 2 ? 8 : 4); // words; 8 or 4 modulo 32
    static constexpr int pair_words(int n_rows) { return n_rows / PER_WORD * PAIR_STRIDE; }
    static constexpr int row_words(int n_rows) { return n_rows * ROW_STRIDE; }
};

// Rows first to first + N - 1 in the layout `rows`.
template <class T, int SIZE, int N>
static __device__ __forceinline__ void stage_rows(unsigned int *tile, ms_cuda_head<const T> head, unsigned int first,
                                                  const ms_cuda_attention_shape &shape) {
    using layout = warp_tile<T, SIZE>;
    const unsigned int per_row = layout::WORDS / 4;
#pragma unroll 4
    for (unsigned int i = threadIdx.x; i < N * per_row; i += WARP_THREADS) {
        unsigned int row = i / per_row, word = 4 * (i % per_row);
        *reinterpret_cast<uint4 *>(&tile[row * layout::ROW_STRIDE + word]) =
            load_words(head, first + row, word * layout::PER_WORD, shape);
    }
}

// The same rows in the layout `pairs`.
template <class T, int SIZE, int N>
static __device__ __forceinline__ void stage_pairs(unsigned int *tile, ms_cuda_head<const T> head, unsigned int first,
                                                   const ms_cuda_attention_shape &shape) {
    using layout = warp_tile<T, SIZE>;
    const unsigned int per_row = layout::WORDS / 4;
#pragma unroll 2
    for (unsigned int i = threadIdx.x; i < N / layout::PER_WORD * per_row; i += WARP_THREADS) {
        unsigned int row = i / per_row, n = 4 * layout::PER_WORD * (i % per_row);
        unsigned int *to = &tile[row * layout::PAIR_STRIDE + n];
        uint4 a = load_words(head, first + layout::PER_WORD * row, n, shape);
        if constexpr (layout::PER_WORD == 1) {
            *reinterpret_cast<uint4 *>(to) = a;
        } else {
            uint4 b = load_words(head, first + 2 * row + 1, n, shape);
            *reinterpret_cast<uint4 *>(to) = make_uint4((a.x & 0xffffu) | b.x << 16, a.x >> 16 | (b.x & 0xffff0000u),
                                                        (a.y & 0xffffu) | b.y << 16, a.y >> 16 | (b.y & 0xffff0000u));
            *reinterpret_cast<uint4 *>(to + 4) =
                make_uint4((a.z & 0xffffu) | b.z << 16, a.z >> 16 | (b.z & 0xffff0000u), (a.w & 0xffffu) | b.w << 16,
                           a.w >> 16 | (b.w & 0xffff0000u));
        }
    }
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
// head).
static __device__ __forceinline__ unsigned int fragment_row(int e) {
    return threadIdx.x / 32 * 16 + lane_group() + (e < 2 ? 0 : 8);
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

// score = the warp's 16 rows times N columns, both in the layout `rows`.
template <class T, int SIZE, int N>
static __device__ __forceinline__ void products(float (&score)[N / 8][4], const unsigned int *rows,
                                                const unsigned int *columns) {
    const int stride = warp_tile<T, SIZE>::ROW_STRIDE;
    unsigned int place = 2 * lane_place();
    const unsigned int *row = rows + fragment_row(0) * stride + place,
                       *column = columns + lane_group() * stride + place;
    clear(score);
#pragma unroll
    for (int word = 0; word < warp_tile<T, SIZE>::WORDS; word += 8) {
        uint2 upper = *reinterpret_cast<const uint2 *>(row + word);
        uint2 lower = *reinterpret_cast<const uint2 *>(row + 8 * stride + word);
        const unsigned a[4] = {upper.x, lower.x, upper.y, lower.y};
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            uint2 b = *reinterpret_cast<const uint2 *>(column + 8 * n * stride + word);
            multiply(score[n], a, b.x, b.y, (const T *)NULL);
        }
    }
}

static __device__ __forceinline__ unsigned int bf16_pair(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return (unsigned int)__bfloat16_as_ushort(pair.x) | (unsigned int)__bfloat16_as_ushort(pair.y) << 16;
}

// sum += weights (as `products` leaves them, rounded to T or TF32) times N rows in pairs `stride` words apart.
template <int SIZE, int N>
static __device__ __forceinline__ void weigh(float (&sum)[SIZE / 8][4], const float (&weight)[N / 8][4],
                                             const unsigned int *pairs, int stride, const float *type) {
    const unsigned int *from = pairs + 2 * lane_place() * stride + lane_group();
#pragma unroll
    for (int s = 0; s < N / 8; s++) {
        const unsigned a[4] = {ms_tf32_of(weight[s][0]), ms_tf32_of(weight[s][2]), ms_tf32_of(weight[s][1]),
                               ms_tf32_of(weight[s][3])};
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++)
            multiply(sum[n], a, from[8 * s * stride + 8 * n], from[(8 * s + 1) * stride + 8 * n], type);
    }
}
template <int SIZE, int N>
static __device__ __forceinline__ void weigh(float (&sum)[SIZE / 8][4], const float (&weight)[N / 8][4],
                                             const unsigned int *pairs, int stride, const ms_bf16 *type) {
    const unsigned int *from = pairs + lane_place() * stride + lane_group();
#pragma unroll
    for (int s = 0; s < N / 16; s++) {
        const float(&low)[4] = weight[2 * s], (&high)[4] = weight[2 * s + 1];
        const unsigned a[4] = {bf16_pair(low[0], low[1]), bf16_pair(low[2], low[3]), bf16_pair(high[0], high[1]),
                               bf16_pair(high[2], high[3])};
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++)
            multiply(sum[n], a, from[8 * s * stride + 8 * n], from[(8 * s + 4) * stride + 8 * n], type);
    }
}

static __device__ __forceinline__ void store_two(float *p, unsigned int i, float x, float y) {
    *reinterpret_cast<float2 *>(p + i) = make_float2(x, y);
}
static __device__ __forceinline__ void store_two(ms_bf16 *p, unsigned int i, float x, float y) {
    *reinterpret_cast<unsigned int *>(p + i) = bf16_pair(x, y);
}

// Stores the warp's rows times `factor` of the upper and the lower.
template <int SIZE, class T>
static __device__ __forceinline__ void store_rows(ms_cuda_head<T> to, unsigned int first_row,
                                                  const float (&value)[SIZE / 8][4], float upper, float lower,
                                                  const ms_cuda_attention_shape &shape) {
#pragma unroll
    for (int which = 0; which < 4; which += 2) {
        unsigned int row = first_row + fragment_row(which);
        float factor = which == 0 ? upper : lower;
        if (row >= shape.sequence) continue;
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++) {
            unsigned int number = fragment_column(n, 0), at = row * to.stride + number;
            float x = value[n][which] * factor, y = value[n][which + 1] * factor;
            if (shape.packs) {
                if (number < shape.head_size) store_two(to.data, at, x, y);
                continue;
            }
            if (number < shape.head_size) ms_store_element(to.data, at, x);
            if (number + 1 < shape.head_size) ms_store_element(to.data, at + 1, y);
        }
    }
}

// Launches a kernel with more than the usual 48 KiB of shared memory, if the device has it.
template <class Kernel> static ms_status allow_shared_bytes(Kernel *kernel, size_t bytes) {
    if (bytes <= 48 * 1024) return MS_OK;
    return ms_cuda_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
                          "asking for shared memory");
}

#endif
