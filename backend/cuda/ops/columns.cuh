// Sums over rows, one for each column of a matrix, by the reduction rule over the row index (backend/cpu/reduce.h).
//
// A thread block takes one 4096-row block of the rule and a tile of columns: threadIdx.x is a pack of columns, threadIdx.y one
// of the 32 lanes.  A lane is a chain of up to 128 rows, so tiles are narrow, 32 bytes of a row, for many thread blocks, and each
// thread fetches some rows ahead.  More than 4096 rows: the sums of blocks are rows in turn, summed by another launch.
#ifndef MS_BACKEND_CUDA_COLUMNS_CUH
#define MS_BACKEND_CUDA_COLUMNS_CUH

#include "backend/cuda/ops/reduce.cuh"

// Packs of a tile.
template <int W> struct ms_column_tile { static constexpr int PACKS = W == 1 ? 8 : 2; };

// An op, passed by value, is a struct with
//     enum { ROWS_AHEAD };    as many rows as registers hold
//     template <int W> __device__ ms_pack<W> term(unsigned row, unsigned columns, unsigned c) const;
//         of columns c to c + W - 1
template <int W, class Op>
static __global__ void __launch_bounds__(ms_column_tile<W>::PACKS *MS_LANES, 1)
    ms_column_kernel(Op op, float *y, unsigned int rows, unsigned int columns) {
    const unsigned int packs = ms_column_tile<W>::PACKS;
    MS_SHARED(float, lanes, [W][MS_LANES][packs]);
    unsigned int tiles = (columns + packs * W - 1) / (packs * W), block = blockIdx.x / tiles;
    unsigned int x = threadIdx.x, lane = threadIdx.y, c = (blockIdx.x % tiles * packs + x) * W;
    unsigned int begin = block * MS_REDUCE_BLOCK, end = rows - begin < MS_REDUCE_BLOCK ? rows : begin + MS_REDUCE_BLOCK;
    ms_pack<W> sum = ms_pack_of<W>(ms_absent());
    if (c < columns)
        ms_add_rounds<Op::ROWS_AHEAD>(sum, (int)lane, (int)(end - begin), [&op, begin, columns, c](unsigned int row) {
            return op.template term<W>(begin + row, columns, c);
        });
#pragma unroll
    for (int j = 0; j < W; j++) lanes[j][lane][x] = sum.x[j];
    for (unsigned int distance = MS_LANES / 2; distance > 0; distance /= 2) {
        __syncthreads();
        if (lane >= distance) continue;
#pragma unroll
        for (int j = 0; j < W; j++) {
            sum.x[j] = ms_add(sum.x[j], lanes[j][lane + distance][x]);
            lanes[j][lane][x] = sum.x[j];
        }
    }
    if (lane == 0 && c < columns) ms_store_pack<W>(y, block * columns + c, sum);
}

// Rows of a matrix as they are.
struct ms_column_numbers {
    enum { ROWS_AHEAD = 8 };
    const float *x;

    template <int W> __device__ ms_pack<W> term(unsigned int row, unsigned int columns, unsigned int c) const {
        return ms_load_pack<W>(x, row * columns + c);
    }
};

template <int W, class Op>
static ms_status ms_launch_columns(const ms_cuda_call *call, const Op &op, float *y, int64_t rows, int64_t columns) {
    const int packs = ms_column_tile<W>::PACKS;
    int64_t tiles = (columns + packs * W - 1) / (packs * W);
    MS_LAUNCH((ms_column_kernel<W, Op>), (unsigned int)(tiles * ms_block_count(rows)), dim3(packs, MS_LANES),
              0, call->stream, op, y, (unsigned int)rows, (unsigned int)columns);
    return ms_cuda_launched(call);
}

// Floats of workspace for the sums of blocks, on all levels; each level's begin at 256 bytes.
static inline int64_t ms_column_level_count(int64_t rows, int64_t columns) {
    return (ms_block_count(rows) * columns + 63) / 64 * 64;
}
static inline size_t ms_columns_workspace(int64_t rows, int64_t columns) {
    size_t count = 0;
    for (; rows > MS_REDUCE_BLOCK; rows = ms_block_count(rows)) count += (size_t)ms_column_level_count(rows, columns);
    return count * sizeof(float);
}

// y [columns] = sums of op's terms; in the workspace, from `workspace` on.
template <int W, class Op>
static ms_status ms_run_columns(const ms_cuda_call *call, const Op &op, float *y, float *workspace, int64_t rows,
                                int64_t columns) {
    if (rows <= MS_REDUCE_BLOCK) return ms_launch_columns<W>(call, op, y, rows, columns);
    MS_TRY(ms_launch_columns<W>(call, op, workspace, rows, columns));
    ms_column_numbers sums = {workspace};
    workspace += ms_column_level_count(rows, columns);
    for (rows = ms_block_count(rows); rows > MS_REDUCE_BLOCK; rows = ms_block_count(rows)) {
        MS_TRY(ms_launch_columns<W>(call, sums, workspace, rows, columns));
        sums.x = workspace;
        workspace += ms_column_level_count(rows, columns);
    }
    return ms_launch_columns<W>(call, sums, y, rows, columns);
}

#endif
