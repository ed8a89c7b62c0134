// Tiles of exact attention: 256 threads hold 64 x 64 scores, 4 x 4 each, then sum rows of values weighted by them.
//
// A tile has rows (what its thread block owns: queries, or keys in the gradient of keys and values) and columns (what it walks
// over).  Thread (x, y) of 16 x 16 has rows 4 y to 4 y + 3 and columns x, x + 16, x + 32, x + 48 of the scores, and of
// results the same rows and numbers 4 x + 64 s to 4 x + 3 + 64 s.  Sums start at -0, which changes nothing that is
// added to it, so a number past the head's end is an added -0 * +0.
#ifndef MS_BACKEND_CUDA_ATTENTION_TILE_CUH
#define MS_BACKEND_CUDA_ATTENTION_TILE_CUH

#include "backend/cuda/ops/attention.cuh"
#include "backend/exact_constants.h"

enum {
    TILE = 64,
    TILE_THREADS = 256,
    TILE_PIECE = 32, // of the head that is in shared memory at a time
    TILE_SLICE = 64  // numbers of a head that a thread block makes for each S of its template
};

struct attention_pieces {
    float rows[TILE][TILE_PIECE + 4], columns[TILE][TILE_PIECE + 4];
};

struct attention_memory {
    union {
        attention_pieces pieces;
        float values[TILE * TILE_SLICE]; // [64 / S][64 S]
    };
    float weights[TILE][TILE + 4]; // [column][row]
    float row_numbers[TILE];
};

static __device__ __forceinline__ unsigned int tile_x() { return threadIdx.x % 16; }
static __device__ __forceinline__ unsigned int tile_y() { return threadIdx.x / 16; }

template <int M, int N> static __device__ __forceinline__ void clear(float (&sum)[M][N]) {
#pragma unroll
    for (int r = 0; r < M; r++)
#pragma unroll
        for (int c = 0; c < N; c++) sum[r][c] = -0.0f;
}

template <int M, int N> static __device__ __forceinline__ void add(float (&total)[M][N], const float (&sum)[M][N]) {
#pragma unroll
    for (int r = 0; r < M; r++)
#pragma unroll
        for (int c = 0; c < N; c++) total[r][c] = ms_add(total[r][c], sum[r][c]);
}

// A piece of 64 rows from `first`; rows past the sequence repeat its last, numbers past the head are `outside`.
template <class T>
static __device__ __forceinline__ void stage_piece(float (&tile)[TILE][TILE_PIECE + 4], ms_cuda_head<const T> head,
                                                   unsigned int first, unsigned int piece,
                                                   const ms_cuda_attention_shape &shape, float outside) {
    const unsigned int quads = TILE_PIECE / 4;
    for (unsigned int i = threadIdx.x; i < TILE * quads; i += TILE_THREADS) {
        unsigned int row = i / quads, at = min(first + row, shape.sequence - 1) * head.stride;
        unsigned int number = piece + 4 * (i % quads);
        *reinterpret_cast<float4 *>(&tile[row][4 * (i % quads)]) =
            ms_load_quad_below(head.data, at + number, at + shape.head_size, shape.vector, outside);
    }
}

static __device__ __forceinline__ void add_products(float (&sum)[4][4], const attention_pieces &pieces,
                                                    unsigned int quad) {
    float4 a[4], b[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        a[r] = *reinterpret_cast<const float4 *>(&pieces.rows[4 * tile_y() + r][4 * quad]);
        b[r] = *reinterpret_cast<const float4 *>(&pieces.columns[tile_x() + 16 * r][4 * quad]);
    }
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            float s = ms_add(sum[r][c], ms_mul(a[r].x, b[c].x));
            s = ms_add(s, ms_mul(a[r].y, b[c].y));
            s = ms_add(s, ms_mul(a[r].z, b[c].z));
            sum[r][c] = ms_add(s, ms_mul(a[r].w, b[c].w));
        }
}

// sum[r][c] = row 4 y + r from first_row times row x + 16 c from first_column, number by number.  Begins
// with a barrier.
template <class T>
static __device__ __forceinline__ void
matmul(float (&sum)[4][4], attention_memory &memory, ms_cuda_head<const T> rows, unsigned int first_row,
         ms_cuda_head<const T> columns, unsigned int first_column, const ms_cuda_attention_shape &shape) {
    clear(sum);
    for (unsigned int piece = 0; piece < shape.head_size; piece += TILE_PIECE) {
        __syncthreads();
        stage_piece(memory.pieces.rows, rows, first_row, piece, shape, -0.0f);
        stage_piece(memory.pieces.columns, columns, first_column, piece, shape, 0.0f);
        __syncthreads();
        unsigned int n_quads = (min(shape.head_size - piece, (unsigned int)TILE_PIECE) + 3) / 4;
#pragma unroll 2
        for (unsigned int quad = 0; quad < n_quads; quad++) add_products(sum, memory.pieces, quad);
    }
}

// Puts the thread's 4 x 4 weights where sums over columns find them.
static __device__ __forceinline__ void put_weights(attention_memory &memory, const float (&weight)[4][4]) {
#pragma unroll
    for (int c = 0; c < 4; c++)
        *reinterpret_cast<float4 *>(&memory.weights[tile_x() + 16 * c][4 * tile_y()]) =
            make_float4(weight[0][c], weight[1][c], weight[2][c], weight[3][c]);
}

// Which pairs of row and column are part of a sum.
enum class pairs { ALL, UP_TO_ROW, FROM_ROW }; // column <= row; row <= column < sequence

template <pairs WHICH>
static __device__ __forceinline__ bool is_part(unsigned int row, unsigned int column, unsigned int sequence) {
    return WHICH == pairs::ALL || (WHICH == pairs::UP_TO_ROW ? column <= row : row <= column && column < sequence);
}

// One staged row of values times the weights of its column.
template <pairs WHICH, int S>
static __device__ __forceinline__ void add_values(float (&sum)[4][4 * S], const attention_memory &memory,
                                                  unsigned int column, unsigned int staged, unsigned int first_row,
                                                  unsigned int first_column, unsigned int sequence) {
    const float4 weights = *reinterpret_cast<const float4 *>(&memory.weights[column][4 * tile_y()]);
    const float weight[4] = {weights.x, weights.y, weights.z, weights.w};
#pragma unroll
    for (int s = 0; s < S; s++) {
        const float *from = &memory.values[staged * TILE_SLICE * S + TILE_SLICE * s + 4 * tile_x()];
        const float4 values = *reinterpret_cast<const float4 *>(from);
        const float value[4] = {values.x, values.y, values.z, values.w};
#pragma unroll
        for (int r = 0; r < 4; r++) {
            bool part = is_part<WHICH>(first_row + 4 * tile_y() + r, first_column + column, sequence);
#pragma unroll
            for (int c = 0; c < 4; c++) {
                float next = ms_add(sum[r][4 * s + c], ms_mul(weight[r], value[c]));
                sum[r][4 * s + c] = part ? next : sum[r][4 * s + c];
            }
        }
    }
}

// sum[r] += the weights of row r times rows of values from first_column, column by column; numbers from `begin` of the
// head.  Begins with a barrier.
template <pairs WHICH, int S, class T>
static __device__ __forceinline__ void weigh(float (&sum)[4][4 * S], attention_memory &memory, unsigned int first_row,
                                             ms_cuda_head<const T> values, unsigned int first_column,
                                             unsigned int begin, const ms_cuda_attention_shape &shape) {
    const unsigned int n_staged = TILE / S, quads = TILE_SLICE * S / 4;
    for (unsigned int part = 0; part < TILE; part += n_staged) {
        __syncthreads();
        for (unsigned int i = threadIdx.x; i < n_staged * quads; i += TILE_THREADS) {
            unsigned int row = min(first_column + part + i / quads, shape.sequence - 1), at = row * values.stride;
            *reinterpret_cast<float4 *>(&memory.values[4 * i]) =
                ms_load_quad_below(values.data, at + begin + 4 * (i % quads), at + shape.head_size, shape.vector, 0.0f);
        }
        __syncthreads();
#pragma unroll 4
        for (unsigned int c = 0; c < n_staged; c++)
            add_values<WHICH, S>(sum, memory, part + c, c, first_row, first_column, shape.sequence);
    }
}

// A chunk of columns ends here: its sums join those of the chunks before.
template <int N>
static __device__ __forceinline__ void close_chunk(float (&total)[4][N], float (&sum)[4][N], unsigned int end) {
    if (end % MS_DEPTH_CHUNK != 0) return;
    add(total, sum);
    clear(sum);
}

// Stores the thread's rows times `factor` of each.
template <int S, class T>
static __device__ __forceinline__ void store_rows(ms_cuda_head<T> to, unsigned int first_row, unsigned int begin,
                                                  const float (&value)[4][4 * S], const float (&factor)[4],
                                                  const ms_cuda_attention_shape &shape) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
        unsigned int row = first_row + 4 * tile_y() + r;
        if (row >= shape.sequence) continue;
#pragma unroll
        for (int s = 0; s < S; s++) {
            unsigned int number = begin + TILE_SLICE * s + 4 * tile_x(), at = row * to.stride;
            float4 quad = make_float4(ms_mul(value[r][4 * s], factor[r]), ms_mul(value[r][4 * s + 1], factor[r]),
                                      ms_mul(value[r][4 * s + 2], factor[r]), ms_mul(value[r][4 * s + 3], factor[r]));
            ms_store_quad_below(to.data, at + number, at + shape.head_size, shape.vector, quad);
        }
    }
}

#endif
