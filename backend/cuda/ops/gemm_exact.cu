// GEMM in `exact`: a thread block of 16 x 16 threads makes a tile of (64 QUADS)^2 results from tiles of both factors in shared
// memory, 16 / QUADS of the depth at a time, so that each thread loads four numbers of each factor per step.  They are
// loaded one step ahead, while sums of the last step are made.  Register tiles over shared memory: Volkov & Demmel,
// Benchmarking GPUs to tune dense linear algebra, 2008.
//
// Transposes are strides.  Sums over k run in chunks of 512 whose sums are added in ascending order; they start from
// -0, which is the number that changes nothing it is added to (+0 would turn a sum of -0 to +0).  Where the result is
// too small to keep the device busy, each chunk is summed by thread blocks of its own into workspace [n_chunks][batch][rows]
// [columns], and a second kernel adds them up.
#include "backend/cuda/ops/gemm.cuh"
#include "backend/cuda/ops/quad.cuh"
#include "backend/exact_constants.h"

enum {
    WIDTH = 16, // threads along a side of a thread block
    THREADS = WIDTH * WIDTH,
    BLOCKS_PER_MULTIPROCESSOR = 2, // that keep it busy
    MAX_SPLIT_NUMBERS = 1 << 24    // of workspace
};

struct factor {
    const void *data;
    unsigned int row_step, depth_step, matrix_step; // elements between neighbours; matrix_step 0: shared
    unsigned int n_rows;
    bool is_bf16, vector; // vector: quads along the dimension that is adjacent in memory are aligned
};

struct exact_gemm {
    factor a, b; // b's rows are columns of y
    const void *c;
    void *y;
    bool y_is_bf16, y_vector; // of c too
    bool mirror;
    unsigned int depth, batch, tiles_x, tiles_y, n_chunks; // n_chunks: 1, or all when split
    float alpha, beta;
};

struct part {
    unsigned int tile_x, tile_y, chunk, matrix;
};

static __device__ __forceinline__ part part_of(const exact_gemm &p, unsigned int block) {
    part at;
    at.tile_x = block % p.tiles_x;
    unsigned int rest = block / p.tiles_x;
    at.tile_y = rest % p.tiles_y;
    rest /= p.tiles_y;
    at.chunk = rest % p.n_chunks;
    at.matrix = rest / p.n_chunks;
    return at;
}

static __device__ __forceinline__ float4 load_quad(const void *data, bool is_bf16, unsigned int i, unsigned int end,
                                                   bool vector, float outside) {
    return is_bf16 ? ms_load_quad_below(static_cast<const ms_bf16 *>(data), i, end, vector, outside)
                   : ms_load_quad_below(static_cast<const float *>(data), i, end, vector, outside);
}

// The thread's four numbers of a factor's tile of SIDE rows and STEP depths from depth k: of four neighbouring rows
// where rows are adjacent, else of one row.  Past the depth's end they are `outside`; rows past the end repeat the last
// or are `outside`, and feed results that nobody stores.
template <int SIDE, int STEP>
static __device__ __forceinline__ float4 fetch(const factor &f, unsigned int start, unsigned int first_row,
                                               unsigned int k, unsigned int end, float outside) {
    if (f.row_step == 1) {
        unsigned int at_depth = k + threadIdx.x / (SIDE / 4), row = first_row + 4 * (threadIdx.x % (SIDE / 4));
        if (at_depth >= end) return make_float4(outside, outside, outside, outside);
        unsigned int i = start + at_depth * f.depth_step;
        return load_quad(f.data, f.is_bf16, i + row, i + f.n_rows, f.vector, outside);
    }
    unsigned int at_depth = k + 4 * (threadIdx.x % (STEP / 4)), row = first_row + threadIdx.x / (STEP / 4);
    unsigned int i = start + min(row, f.n_rows - 1) * f.row_step;
    return load_quad(f.data, f.is_bf16, i + at_depth, i + end, f.vector, outside);
}

// Rows of four numbers' padding keep apart the banks that a warp's transposed stores go to.
template <int SIDE, int STEP> using tile_type = float[STEP][SIDE + 4];

template <int SIDE, int STEP>
static __device__ __forceinline__ void put(const factor &f, tile_type<SIDE, STEP> &tile, float4 quad) {
    if (f.row_step == 1) {
        *reinterpret_cast<float4 *>(&tile[threadIdx.x / (SIDE / 4)][4 * (threadIdx.x % (SIDE / 4))]) = quad;
        return;
    }
    unsigned int at_depth = 4 * (threadIdx.x % (STEP / 4)), row = threadIdx.x / (STEP / 4);
    tile[at_depth][row] = quad.x;
    tile[at_depth + 1][row] = quad.y;
    tile[at_depth + 2][row] = quad.z;
    tile[at_depth + 3][row] = quad.w;
}

// sum[4 q + r][4 h + c] += the product of row r of quad q and column c of quad h, depth by depth.
template <int QUADS, int STEP>
static __device__ __forceinline__ void add_products(float (&sum)[4 * QUADS][4 * QUADS],
                                                    const tile_type<64 * QUADS, STEP> &a,
                                                    const tile_type<64 * QUADS, STEP> &b) {
    unsigned int x = threadIdx.x % WIDTH, y = threadIdx.x / WIDTH;
#pragma unroll
    for (int k = 0; k < STEP; k++) {
        float factor_a[4 * QUADS], factor_b[4 * QUADS];
#pragma unroll
        for (int q = 0; q < QUADS; q++) {
            *reinterpret_cast<float4 *>(&factor_a[4 * q]) =
                *reinterpret_cast<const float4 *>(&a[k][4 * (q * WIDTH + y)]);
            *reinterpret_cast<float4 *>(&factor_b[4 * q]) =
                *reinterpret_cast<const float4 *>(&b[k][4 * (q * WIDTH + x)]);
        }
#pragma unroll
        for (int r = 0; r < 4 * QUADS; r++)
#pragma unroll
            for (int c = 0; c < 4 * QUADS; c++) sum[r][c] = ms_add(sum[r][c], ms_mul(factor_a[r], factor_b[c]));
    }
}

template <int N> static __device__ __forceinline__ void clear(float (&sum)[N][N]) {
#pragma unroll
    for (int r = 0; r < N; r++)
#pragma unroll
        for (int c = 0; c < N; c++) sum[r][c] = -0.0f;
}

template <int N> static __device__ __forceinline__ void add(float (&total)[N][N], const float (&sum)[N][N]) {
#pragma unroll
    for (int r = 0; r < N; r++)
#pragma unroll
        for (int c = 0; c < N; c++) total[r][c] = ms_add(total[r][c], sum[r][c]);
}

template <class T>
static __device__ __forceinline__ float4 finish_quad(const exact_gemm &p, unsigned int i, unsigned int end,
                                                     float4 total) {
    float4 y = make_float4(ms_mul(p.alpha, total.x), ms_mul(p.alpha, total.y), ms_mul(p.alpha, total.z),
                           ms_mul(p.alpha, total.w));
    if (!p.c) return y;
    float4 c = ms_load_quad_below(static_cast<const T *>(p.c), i, end, p.y_vector, 0.0f);
    return make_float4(ms_add(y.x, ms_mul(p.beta, c.x)), ms_add(y.y, ms_mul(p.beta, c.y)),
                       ms_add(y.z, ms_mul(p.beta, c.z)), ms_add(y.w, ms_mul(p.beta, c.w)));
}

// Stores 4 x 4 results; in the mirrored form also their transpose, of a tile on the diagonal only the upper triangle.
template <class T>
static __device__ __forceinline__ void store_square(const exact_gemm &p, const part &at, unsigned int row,
                                                    unsigned int column, bool on_diagonal, const float4 (&total)[4]) {
    unsigned int n_rows = p.a.n_rows, n_columns = p.b.n_rows;
    T *y = static_cast<T *>(p.y);
    unsigned int first = (at.chunk * p.batch + at.matrix) * n_rows * n_columns;
    if (row >= n_rows || column >= n_columns) return;
    float4 value[4];
#pragma unroll
    for (unsigned int r = 0; r < 4; r++) {
        unsigned int i = first + (row + r) * n_columns, end = row + r < n_rows ? i + n_columns : i;
        value[r] = finish_quad<T>(p, i + column, end, total[r]);
        if (!on_diagonal) ms_store_quad_below(y, i + column, end, p.y_vector, value[r]);
    }
    if (!p.mirror) return;
#pragma unroll
    for (unsigned int c = 0; c < 4; c++) {
        float4 quad = c == 0   ? make_float4(value[0].x, value[1].x, value[2].x, value[3].x)
                      : c == 1 ? make_float4(value[0].y, value[1].y, value[2].y, value[3].y)
                      : c == 2 ? make_float4(value[0].z, value[1].z, value[2].z, value[3].z)
                               : make_float4(value[0].w, value[1].w, value[2].w, value[3].w);
        unsigned int i = first + (column + c) * n_rows;
        if (column + c >= n_columns) continue;
        if (!on_diagonal) {
            ms_store_quad_below(y, i + row, i + n_rows, p.y_vector, quad);
            continue;
        }
        const float numbers[4] = {quad.x, quad.y, quad.z, quad.w};
#pragma unroll
        for (unsigned int r = 0; r < 4; r++) {
            if (row + r > column + c || row + r >= n_rows) continue;
            ms_store_element(y, first + (row + r) * n_columns + column + c, numbers[r]);
            if (row + r < column + c) ms_store_element(y, i + row + r, numbers[r]);
        }
    }
}

template <int QUADS>
static __device__ __forceinline__ void store_tile(const exact_gemm &p, const part &at, unsigned int first_row,
                                                  unsigned int first_column,
                                                  const float (&total)[4 * QUADS][4 * QUADS]) {
    unsigned int x = threadIdx.x % WIDTH, y = threadIdx.x / WIDTH;
    bool on_diagonal = p.mirror && at.tile_x == at.tile_y;
#pragma unroll
    for (int q = 0; q < QUADS; q++)
#pragma unroll
        for (int h = 0; h < QUADS; h++) {
            float4 square[4];
#pragma unroll
            for (int r = 0; r < 4; r++)
                square[r] = make_float4(total[4 * q + r][4 * h], total[4 * q + r][4 * h + 1],
                                        total[4 * q + r][4 * h + 2], total[4 * q + r][4 * h + 3]);
            unsigned int row = first_row + 4 * (q * WIDTH + y), column = first_column + 4 * (h * WIDTH + x);
            if (p.y_is_bf16)
                store_square<ms_bf16>(p, at, row, column, on_diagonal, square);
            else
                store_square<float>(p, at, row, column, on_diagonal, square);
        }
}

// CHUNKS: a thread block sums more than one chunk.
template <int QUADS, bool CHUNKS> static __global__ void __launch_bounds__(THREADS, 1) gemm_kernel(exact_gemm p) {
    const int SIDE = 64 * QUADS, STEP = WIDTH / QUADS;
    using tile = tile_type<SIDE, STEP>;
    MS_SHARED(tile, tile_a, [2]);
    MS_SHARED(tile, tile_b, [2]);
    part at = part_of(p, blockIdx.x);
    if (p.mirror && at.tile_x < at.tile_y) return;
    unsigned int first_row = at.tile_y * SIDE, first_column = at.tile_x * SIDE;
    unsigned int start_a = at.matrix * p.a.matrix_step, start_b = at.matrix * p.b.matrix_step;
    unsigned int begin = at.chunk * MS_DEPTH_CHUNK, end = p.n_chunks > 1 ? min(p.depth, begin + MS_DEPTH_CHUNK) : p.depth;
    float sum[4 * QUADS][4 * QUADS], total[4 * QUADS][4 * QUADS];
    clear(sum);
    if (CHUNKS) clear(total);
    // Past the end every product is -0 * +0 = -0, which adds nothing.
    put<SIDE, STEP>(p.a, tile_a[0], fetch<SIDE, STEP>(p.a, start_a, first_row, begin, end, -0.0f));
    put<SIDE, STEP>(p.b, tile_b[0], fetch<SIDE, STEP>(p.b, start_b, first_column, begin, end, 0.0f));
    __syncthreads();
    int buffer = 0;
    for (unsigned int k = begin; k < end; k += STEP, buffer ^= 1) {
        float4 next_a = fetch<SIDE, STEP>(p.a, start_a, first_row, k + STEP, end, -0.0f);
        float4 next_b = fetch<SIDE, STEP>(p.b, start_b, first_column, k + STEP, end, 0.0f);
        add_products<QUADS, STEP>(sum, tile_a[buffer], tile_b[buffer]);
        put<SIDE, STEP>(p.a, tile_a[buffer ^ 1], next_a);
        put<SIDE, STEP>(p.b, tile_b[buffer ^ 1], next_b);
        __syncthreads();
        if (CHUNKS && (k + STEP) % MS_DEPTH_CHUNK == 0) {
            add(total, sum);
            clear(sum);
        }
    }
    if (CHUNKS) {
        add(total, sum);
        store_tile<QUADS>(p, at, first_row, first_column, total);
    } else {
        store_tile<QUADS>(p, at, first_row, first_column, sum);
    }
}

// The end of a GEMM whose chunks were summed by different thread blocks; sums [n_chunks][count].
template <class T>
static __global__ void sum_kernel(const float *sums, const T *c, T *y, unsigned int count, unsigned int n_chunks,
                                  float alpha, float beta) {
    unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float total = sums[i];
    for (unsigned int chunk = 1; chunk < n_chunks; chunk++) total = ms_add(total, sums[chunk * count + i]);
    float value = ms_mul(alpha, total);
    if (c) value = ms_add(value, ms_mul(beta, ms_load_element(c, i)));
    ms_store_element(y, i, value);
}

// ---- host ----

struct gemm_plan {
    int quads;
    int64_t tiles_x, tiles_y, n_chunks;
    bool split;
};

// The largest tile that keeps the device busy: a larger one reads less memory per result.
static gemm_plan plan_of(const ms_cuda_call *call, const ms_cuda_gemm *given) {
    int64_t enough = (int64_t)BLOCKS_PER_MULTIPROCESSOR * call->limits->n_multiprocessors;
    int64_t all_chunks = (given->left.depth + MS_DEPTH_CHUNK - 1) / MS_DEPTH_CHUNK;
    gemm_plan plan;
    for (plan.quads = 2; plan.quads >= 1; plan.quads--) {
        int64_t side = 64 * plan.quads;
        plan.tiles_x = (given->right.n_rows + side - 1) / side;
        plan.tiles_y = (given->left.n_rows + side - 1) / side;
        int64_t n_blocks = given->batch * plan.tiles_x * plan.tiles_y;
        plan.split = n_blocks < enough && all_chunks > 1 && all_chunks * given->y->count <= MAX_SPLIT_NUMBERS;
        plan.n_chunks = plan.split ? all_chunks : 1;
        if (n_blocks * plan.n_chunks >= enough || plan.quads == 1) break;
    }
    return plan;
}

static factor factor_of(const ms_cuda_factor *given) {
    factor f;
    f.data = given->operand->data;
    f.row_step = given->transposed ? 1u : (unsigned int)given->depth;
    f.depth_step = given->transposed ? (unsigned int)given->n_rows : 1u;
    f.matrix_step = (unsigned int)ms_factor_step(given);
    f.n_rows = (unsigned int)given->n_rows;
    f.is_bf16 = given->operand->dtype == MS_DTYPE_BF16;
    f.vector = ms_takes_quads(given->operand, ms_factor_stride(given));
    // A column vector is both; the tile's loads then take four neighbours along the depth.
    if (given->transposed && given->n_rows == 1) {
        f.row_step = (unsigned int)given->depth;
        f.vector = ms_takes_quads(given->operand, given->depth);
    }
    return f;
}

static ms_status sum_chunks(const ms_cuda_call *call, const ms_cuda_gemm *given, const gemm_plan &plan) {
    unsigned int count = (unsigned int)given->y->count, blocks = ms_thread_blocks(given->y->count, THREADS);
    const float *sums = static_cast<const float *>(call->workspace);
    if (given->y->dtype == MS_DTYPE_BF16)
        MS_LAUNCH(sum_kernel<ms_bf16>, blocks, THREADS, 0, call->stream, sums, (const ms_bf16 *)given->c->data,
                  (ms_bf16 *)given->y->data, count, (unsigned int)plan.n_chunks, given->alpha, given->beta);
    else
        MS_LAUNCH(sum_kernel<float>, blocks, THREADS, 0, call->stream, sums, (const float *)given->c->data,
                  (float *)given->y->data, count, (unsigned int)plan.n_chunks, given->alpha, given->beta);
    return ms_cuda_launched(call);
}

size_t ms_cuda_exact_gemm_workspace(const ms_cuda_call *call, const ms_cuda_gemm *given) {
    gemm_plan plan = plan_of(call, given);
    return plan.split ? (size_t)(plan.n_chunks * given->y->count) * sizeof(float) : 0;
}

static ms_status launch(const ms_cuda_call *call, const exact_gemm &p, const gemm_plan &plan) {
    int64_t n_blocks = (int64_t)p.batch * plan.tiles_x * plan.tiles_y * plan.n_chunks;
    bool chunks = !plan.split && p.depth > MS_DEPTH_CHUNK;
    unsigned int blocks = (unsigned int)n_blocks; // below 2^31, as operands have fewer elements
    if (plan.quads == 2 && chunks)
        MS_LAUNCH((gemm_kernel<2, true>), blocks, THREADS, 0, call->stream, p);
    else if (plan.quads == 2)
        MS_LAUNCH((gemm_kernel<2, false>), blocks, THREADS, 0, call->stream, p);
    else if (chunks)
        MS_LAUNCH((gemm_kernel<1, true>), blocks, THREADS, 0, call->stream, p);
    else
        MS_LAUNCH((gemm_kernel<1, false>), blocks, THREADS, 0, call->stream, p);
    return ms_cuda_launched(call);
}

ms_status ms_cuda_exact_gemm(const ms_cuda_call *call, const ms_cuda_gemm *given) {
    gemm_plan plan = plan_of(call, given);
    exact_gemm p;
    p.a = factor_of(&given->left);
    p.b = factor_of(&given->right);
    p.c = plan.split ? NULL : given->c->data;
    p.y = plan.split ? call->workspace : given->y->data;
    p.y_is_bf16 = !plan.split && given->y->dtype == MS_DTYPE_BF16;
    p.y_vector = ms_takes_quads(given->y, given->right.n_rows) &&
                 (!given->c->data || ms_takes_quads(given->c, given->right.n_rows));
    p.mirror = given->symmetric;
    p.depth = (unsigned int)given->left.depth;
    p.batch = (unsigned int)given->batch;
    p.tiles_x = (unsigned int)plan.tiles_x;
    p.tiles_y = (unsigned int)plan.tiles_y;
    p.n_chunks = (unsigned int)plan.n_chunks;
    p.alpha = plan.split ? 1.0f : given->alpha;
    p.beta = given->beta;
    MS_TRY(launch(call, p, plan));
    return plan.split ? sum_chunks(call, given, plan) : MS_OK;
}
