// Sums over rows, one for each column of a matrix, by the reduction rule over the row index (backend/cpu/reduce.h).
//
// A thread block takes one 4096-row block of the rule and a tile of columns: threadIdx.x is a pack of columns, threadIdx.y one
// of the 32 lanes.  A lane is a chain of up to 128 rows, so tiles are narrow, 32 bytes of a row, for many thread blocks; and most
// threads only load: threadIdx.z is one of GROUPS that stage the next rows of each lane in shared memory, while the last group
// adds those that are there.  More than 4096 rows: the sums of blocks are rows in turn, summed by another launch.
#ifndef MS_BACKEND_CUDA_COLUMNS_CUH
#define MS_BACKEND_CUDA_COLUMNS_CUH

#include "backend/cuda/ops/reduce.cuh"

// Packs of a tile; groups that load, and rows that a thread of theirs loads at one time; floats that are staged.
template <int W> struct ms_column_tile {
    static constexpr int PACKS = W == 1 ? 8 : 2, GROUPS = W == 1 ? 1 : 4, AHEAD = W == 1 ? 8 : 4;
    static constexpr int ROWS = GROUPS * AHEAD, STAGED = ROWS * MS_LANES * PACKS * W;
    static constexpr int THREADS = PACKS * MS_LANES * (GROUPS + 1);
};

// Where row i_row of those that are staged has this thread's pack.
template <int W> static __device__ __forceinline__ unsigned int ms_column_place(unsigned int i_row) {
    return ((i_row * MS_LANES + threadIdx.y) * ms_column_tile<W>::PACKS + threadIdx.x) * W;
}

// The sum of this thread's lane and pack, in threads of the last group; others return -0.  `count` rows from row `begin` on, at
// least one.
template <int W, class Op>
static __device__ __forceinline__ ms_pack<W> ms_lane_of_columns(const Op &op, float *staged, unsigned int begin, int count,
                                                                unsigned int columns, unsigned int c) {
    typedef ms_column_tile<W> tile;
    const int lane = (int)threadIdx.y, group = (int)threadIdx.z;
    const int of_lane = (count - lane + MS_LANES - 1) / MS_LANES;
    ms_pack<W> sum = ms_pack_of<W>(ms_absent()), term[tile::AHEAD];
    for (int first = 0; first * MS_LANES < count; first += tile::ROWS) {
        if (group < tile::GROUPS) {
#pragma unroll
            for (int k = 0; k < tile::AHEAD; k++) { // past the end: the last row again
                int row = lane + (first + k * tile::GROUPS + group) * MS_LANES;
                term[k] = op.template term<W>(begin + (unsigned int)min(row, count - 1), columns, min(c, columns - W));
            }
        }
        __syncthreads(); // what was staged has been added
        if (group < tile::GROUPS) {
#pragma unroll
            for (int k = 0; k < tile::AHEAD; k++)
                ms_store_pack<W>(staged, ms_column_place<W>((unsigned int)(k * tile::GROUPS + group)), term[k]);
        }
        __syncthreads();
        const float *terms = staged;
        if (group == tile::GROUPS)
            ms_add_rounds<8, 1>(sum, 0, min(of_lane - first, (int)tile::ROWS), [terms](unsigned int i_row) {
                return ms_load_pack<W>(terms, ms_column_place<W>(i_row));
            });
    }
    return sum;
}

// An op, passed by value, is a struct with
//     template <int W> __device__ ms_pack<W> term(unsigned row, unsigned columns, unsigned c) const;
//         of columns c to c + W - 1
template <int W, class Op>
static __global__ void __launch_bounds__(ms_column_tile<W>::THREADS, 1)
    ms_column_kernel(Op op, float *y, unsigned int rows, unsigned int columns) {
    typedef ms_column_tile<W> tile;
    MS_SHARED(float, staged, [tile::STAGED]);
    const unsigned int packs = tile::PACKS;
    unsigned int tiles = (columns + packs * W - 1) / (packs * W), block = blockIdx.x / tiles;
    unsigned int lane = threadIdx.y, c = (blockIdx.x % tiles * packs + threadIdx.x) * W;
    unsigned int begin = block * MS_REDUCE_BLOCK;
    ms_pack<W> sum = ms_lane_of_columns<W>(op, staged, begin, (int)min(rows - begin, (unsigned int)MS_REDUCE_BLOCK), columns, c);
    bool adds = threadIdx.z == tile::GROUPS;
    __syncthreads();
    if (adds) ms_store_pack<W>(staged, ms_column_place<W>(0), sum);
    for (unsigned int distance = MS_LANES / 2; distance > 0; distance /= 2) {
        __syncthreads();
        if (!adds || lane >= distance) continue;
        sum = ms_pack_add(sum, ms_load_pack<W>(staged, ms_column_place<W>(0) + distance * packs * W));
        ms_store_pack<W>(staged, ms_column_place<W>(0), sum);
    }
    if (adds && lane == 0 && c < columns) ms_store_pack<W>(y, block * columns + c, sum);
}

// Rows of a matrix as they are.
struct ms_column_numbers {
    const float *x;

    template <int W> __device__ ms_pack<W> term(unsigned int row, unsigned int columns, unsigned int c) const {
        return ms_load_pack<W>(x, row * columns + c);
    }
};

template <int W, class Op>
static ms_status ms_launch_columns(const ms_cuda_call *call, const Op &op, float *y, int64_t rows, int64_t columns) {
    typedef ms_column_tile<W> tile;
    int64_t tiles = (columns + tile::PACKS * W - 1) / (tile::PACKS * W);
    MS_LAUNCH((ms_column_kernel<W, Op>), (unsigned int)(tiles * ms_block_count(rows)), dim3(tile::PACKS, MS_LANES, tile::GROUPS + 1),
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
