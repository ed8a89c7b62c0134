/* What matmul, gram and attention do: backend/cuda/ops and backend/vulkan/ops. */
#include <math.h>

#include "backend/exact_constants.h"
#include "backend/ir/gemm.h"
#include "backend/ir/passes.h"
#include "cli/bench/count.h"

typedef struct ms_bench_counter counter;

/* A driver does not tell how many registers it gave an invocation of a shader, and so how many share a scheduler. */
static const double UNKNOWN_WARPS = 3;

static bool is_cuda(const counter *c) { return c->target->backend == MS_TARGET_CUDA; }

static ms_dtype dtype_of(const counter *c, ms_tensor tensor) { return ms_graph_tensor(c->graph, tensor)->dtype; }

/* ---- matmul and gram ---- */

static ms_gemm gemm_of(const counter *c, const ms_node *node) {
    const ms_shape *left = &ms_graph_tensor(c->graph, node->inputs[0])->shape;
    const ms_shape *right = node->op == MS_OP_GRAM ? left : &ms_graph_tensor(c->graph, node->inputs[1])->shape;
    return ms_gemm_of(node->op, &node->attributes, left, right);
}

/* A copy from bf16 to f32, or back. */
static void count_conversion(const counter *c, ms_tensor tensor, ms_bench_work *work) {
    double elements = ms_bench_elements(c, tensor);
    ms_bench_kernel kernel = ms_bench_pass(c, elements, 6 * elements, true);
    ms_bench_expect_kernel(c->target, &kernel, work);
}

/* By cuBLASLt, which is taken to find the best of its algorithms; its tiles are 128 x 256 and its workspace has 32 MiB.
   It takes factors of one dtype, and makes bf16 of bf16 alone: other mixtures go through f32 copies. */
static void count_library_gemm(const counter *c, const ms_node *node, const ms_gemm *gemm, ms_bench_work *work) {
    const double workspace = 32 << 20;
    bool is_gram = node->op == MS_OP_GRAM, has_matrices = c->target->tf32 > 0;
    ms_tensor left = node->inputs[0], right = is_gram ? left : node->inputs[1], y = node->outputs[0];
    bool narrow_left = dtype_of(c, left) == MS_DTYPE_BF16, narrow_right = dtype_of(c, right) == MS_DTYPE_BF16;
    bool in_bf16 = narrow_left && narrow_right && has_matrices, narrow_y = dtype_of(c, y) == MS_DTYPE_BF16;
    bool has_c = node->n_inputs > 2 && node->inputs[2] != MS_NO_TENSOR;
    if (narrow_left && !in_bf16) count_conversion(c, left, work);
    if (narrow_right && !in_bf16 && !is_gram) count_conversion(c, right, work);
    if (narrow_y && !in_bf16 && has_c) count_conversion(c, node->inputs[2], work);
    double results = ms_bench_elements(c, y), factor_size = in_bf16 ? 2 : 4;
    ms_bench_product product = {
        .rows = (double)gemm->left.n_rows,
        .columns = (double)gemm->right.n_rows,
        .depth = (double)gemm->left.depth,
        .batch = (double)gemm->batch,
        .flop_rate = ms_bench_flop_rate(c->target, in_bf16, has_matrices),
        .tile_rows = 128,
        .tile_columns = 256,
        .factor_bytes = factor_size * (ms_bench_elements(c, left) + (is_gram ? 0 : ms_bench_elements(c, right))),
        .result_bytes = results * (narrow_y && in_bf16 ? 2 : 4)};
    product.added_bytes = has_c ? product.result_bytes : 0;
    product.max_split = fmax(1, fmin(floor(workspace / (4 * results)), floor(product.depth / 64)));
    if (gemm->right.shared && !gemm->left.transposed && !gemm->left.shared) { /* one tall matrix */
        product.rows *= product.batch;
        product.batch = 1;
    }
    ms_bench_expect_product(c->target, &product, work);
    if (narrow_y && !in_bf16) count_conversion(c, y, work);
    if (is_gram) { /* the mirror */
        ms_bench_kernel mirror = ms_bench_pass(c, results, product.result_bytes, false);
        ms_bench_expect_kernel(c->target, &mirror, work);
    }
}

/* gram_fast.cu: tiles of 128 x 128 of the upper triangle, a thread block of 256 threads each, of which the registers
   let one be on a multiprocessor.  A step of 32 of the depth stores both factors' tiles in shared memory and loads 6
   times 512 bytes a warp for 16 instructions of 2048 FLOP. */
static void count_tiled_gram(const counter *c, const ms_node *node, const ms_gemm *gemm, ms_bench_work *work) {
    const double side = 128, step = 32;
    double tiles = ceil((double)gemm->left.n_rows / side);
    double blocks = (double)gemm->batch * tiles * (tiles + 1) / 2, depth = (double)gemm->left.depth;
    /* As many as the busiest multiprocessor has. */
    double counted = ceil(blocks / c->target->multiprocessors) * c->target->multiprocessors;
    double flops = 2 * side * side * depth * counted, steps = ceil(depth / step) * counted;
    ms_bench_kernel kernel = {.launches = 1, .matrix_flops = flops, .warps = 2, .threads = 256 * blocks};
    kernel.bytes = ms_bench_in_bytes(c, node, 0) + ms_bench_out_bytes(c, node, 0);
    kernel.shared_bytes = flops * 6 * 512 / (16 * 2048) + steps * 2 * side * step * 4;
    kernel.rounds = ceil(depth / step);
    kernel.resident = 256;
    ms_bench_expect_kernel(c->target, &kernel, work);
}

/* shaders/matmul_tile.glsl: the first kernel of gemm.c that fills 256 workgroups; a depth of more than one chunk is
   split where even the smallest does not. */
static void count_shader_gemm(const counter *c, const ms_node *node, const ms_gemm *gemm, ms_bench_work *work) {
    static const struct { double side, quads; } kernels[] = {{128, 2}, {64, 1}, {64, 2}, {32, 1}};
    enum { N_KERNELS = sizeof kernels / sizeof *kernels };
    const double enough = 256;
    double rows = (double)gemm->left.n_rows, columns = (double)gemm->right.n_rows, depth = (double)gemm->left.depth;
    double chunks = ceil(depth / MS_DEPTH_CHUNK), groups = 0, split = 1, added = ms_bench_in_bytes(c, node, 2);
    int i = 0;
    for (;; i++) {
        groups = (double)gemm->batch * ceil(rows / kernels[i].side) * ceil(columns / kernels[i].side);
        split = groups < enough ? chunks : 1;
        if (groups * split >= enough || i == N_KERNELS - 1) break;
    }
    /* Of each depth an invocation loads two quads, or one, of both factors for 8 x 8 or 4 x 4 multiply-adds. */
    double quads = kernels[i].quads, shared = 2 * 16 * quads / (16 * quads * quads);
    ms_bench_product product = {.rows = rows,
                                .columns = columns,
                                .depth = depth,
                                .batch = (double)gemm->batch,
                                .flop_rate = ms_bench_lane_flop_rate(c->target, shared, UNKNOWN_WARPS),
                                .tile_rows = kernels[i].side,
                                .tile_columns = kernels[i].side,
                                .max_split = split,
                                .result_bytes = ms_bench_out_bytes(c, node, 0),
                                .added_bytes = added,
                                .factor_bytes = ms_bench_in_bytes(c, node, 0)};
    if (node->op == MS_OP_MATMUL) product.factor_bytes += ms_bench_in_bytes(c, node, 1);
    ms_bench_expect_product(c->target, &product, work);
}

void ms_bench_count_gemm(const counter *c, const ms_node *node, ms_bench_work *work) {
    ms_gemm gemm = gemm_of(c, node);
    bool is_f32 = dtype_of(c, node->inputs[0]) == MS_DTYPE_F32 && dtype_of(c, node->outputs[0]) == MS_DTYPE_F32;
    if (!is_cuda(c))
        count_shader_gemm(c, node, &gemm, work);
    else if (node->op == MS_OP_GRAM && is_f32 && c->target->tf32 > 0)
        count_tiled_gram(c, node, &gemm, work);
    else
        count_library_gemm(c, node, &gemm, work);
}

/* ---- attention on CUDA ---- */

/* A kernel of attention_fast.cu or attention_grad_fast.cu, for heads of up to 32, 64 and 128 numbers. */
typedef struct warp_kernel {
    int products;                            /* each of 2 D FLOP a pair */
    int rows_bf16[3], rows_f32[3];           /* 16 of a warp, times these */
    int columns_bf16[3], columns_f32[3];     /* walked over at a time */
    int registers_bf16[3], registers_f32[3]; /* of a thread on sm_90: backend/cuda/ptxas.md */
    double lanes, specials;                  /* operations of a pair: by the source */
    bool own_loaded; /* own rows of f32 heads above 32, of bf16 above 64, are loaded again for each product */
} warp_kernel;

static const warp_kernel forward = {
    2, {2, 2, 1}, {1, 1, 1}, {64, 64, 64}, {32, 32, 32}, {176, 241, 170}, {72, 122, 168}, 5, 1, false};
static const warp_kernel queries = {
    3, {1, 1, 1}, {1, 1, 1}, {32, 32, 16}, {32, 32, 16}, {85, 122, 124}, {101, 124, 125}, 3.5, 1, true};
static const warp_kernel keys = {4, {1, 2, 1}, {1, 1, 1}, {32, 16, 16}, {32, 32, 16}, {145, 247, 222}, {143, 152, 218},
                                 4, 1,         true};

/* Pairs that a kernel makes scores of: tiles at the diagonal are made whole. */
static double tiled_pairs(const ms_attention_attributes *a, double rows, double columns) {
    double t = (double)a->sequence, pairs = 0;
    for (double first = 0; first < t; first += rows) pairs += rows * ceil(fmin(first + rows, t) / columns) * columns;
    return pairs * a->batch * a->heads;
}

static int size_class(int64_t head_size) { return head_size <= 32 ? 0 : head_size <= 64 ? 1 : 2; }

static void count_warp_kernel(const counter *c, const ms_node *node, const warp_kernel *is, double bytes,
                              ms_bench_work *work) {
    const ms_attention_attributes *a = &node->attributes.attention;
    bool is_bf16 = ms_bench_is_bf16(c, node, 0);
    int which = size_class(a->head_size);
    double rows = is_bf16 ? is->rows_bf16[which] : is->rows_f32[which];
    double columns = is_bf16 ? is->columns_bf16[which] : is->columns_f32[which];
    int registers = is_bf16 ? is->registers_bf16[which] : is->registers_f32[which];
    double pairs = tiled_pairs(a, 64 * rows, columns), size = 32 << which;
    double blocks = fmax(1, floor(65536.0 / (128 * ((registers + 7) / 8 * 8))));
    ms_bench_kernel kernel = {.launches = 1, .bytes = bytes, .is_bf16 = is_bf16, .resident = 128 * blocks};
    kernel.threads = 128 * ceil((double)a->sequence / (64 * rows)) * a->batch * a->heads;
    kernel.matrix_flops = 2 * size * pairs * is->products;
    /* 512 bytes of columns for two instructions of 4096 FLOP (TF32: 2048), each times `rows`. */
    kernel.shared_bytes = kernel.matrix_flops * 512 / ((is_bf16 ? 2 * 4096 : 2 * 2048) * rows);
    /* And 512 of rows for each of columns / 8 instructions. */
    if (is->own_loaded && size > (is_bf16 ? 64 : 32))
        kernel.shared_bytes += 4 * size * pairs * 512 / ((is_bf16 ? 4096 : 2048) * columns / 8);
    /* Columns of two tensors are copied there, once for the four warps. */
    kernel.shared_bytes += 2 * size * (is_bf16 ? 2 : 4) * pairs / (64 * rows);
    kernel.lanes = is->lanes * pairs;
    kernel.specials = is->specials * pairs;
    kernel.warps = blocks; /* 4 warps, 4 schedulers */
    ms_bench_expect_kernel(c->target, &kernel, work);
}

/* ---- attention on ordinary units ---- */

/* A kernel of shaders/attention_tile.glsl; or of attention_tile.cuh, which is made for `exact`, where a CUDA device has
   no matrix units or heads are too long for them. */
typedef struct tile_kernel {
    int scores, sums; /* products over a head, and over what is walked over: each of 2 D FLOP a pair */
    int exps;
    double lanes; /* further operations of a pair */
    double bytes;
} tile_kernel;

/* What a tile of 64 rows by `columns` does, whose threads hold 4 x 4 scores each and four rows of the results. */
typedef struct tile_shape {
    double columns, threads, warps;  /* warps: of a scheduler */
    double parts;                    /* thread blocks that share a row: each makes the scores */
    double depth, numbers;           /* of a head in the scores, and of a part in the results: rounded up */
    double scores_waits, sums_waits; /* times that all wait for loads */
    double operations;               /* a multiply-add: one, or two where it is not fused */
} tile_shape;

/* TILE_THREADS and so on of attention_tile.cuh (168 registers a thread: backend/cuda/ptxas.md); sums of keys have 64
   numbers a thread block. */
static tile_shape cuda_tile(double size, const tile_kernel *is) {
    double part = size > 64 && is->sums < 2 ? 128 : 64;
    return (tile_shape){.columns = 64,
                        .threads = 256,
                        .warps = 2,
                        .parts = ceil(size / part),
                        .depth = 4 * ceil(size / 4),
                        .numbers = part,
                        .scores_waits = ceil(size / 32),
                        .sums_waits = part / 64,
                        .operations = 2};
}

/* Slices of 16 of the depth come while those before are at work, so that the first one is waited for. */
static tile_shape vulkan_tile(double size) {
    double quads = ceil(fmin(size, 128) / 32);
    return (tile_shape){.columns = 32,
                        .threads = 128,
                        .warps = UNKNOWN_WARPS,
                        .parts = ceil(size / 128),
                        .depth = 16 * ceil(size / 16),
                        .numbers = 32 * quads,
                        .scores_waits = 1,
                        .sums_waits = quads > 2 ? 4 : quads,
                        .operations = 1};
}

/* A pair's part of what goes through shared memory: eight numbers for 16 multiply-adds of scores; weights of four rows
   and all numbers of a quad for those of sums; and what is put there. */
static double tile_shared_bytes(const tile_kernel *is, const tile_shape *tile) {
    double scores = tile->depth * (2 + 4 * (64 + tile->columns) / (64 * tile->columns));
    double sums = tile->threads / 4 + tile->numbers + 4 * tile->numbers / 64 + 4;
    return is->scores * scores + is->sums * sums;
}

static void count_tile_kernel(const counter *c, const ms_node *node, const tile_kernel *is, ms_bench_work *work) {
    const double exp_operations = 30, submission_flops = 1e11; /* backend/exact.h; vulkan_device.c */
    const ms_attention_attributes *a = &node->attributes.attention;
    tile_shape tile = is_cuda(c) ? cuda_tile(a->head_size, is) : vulkan_tile(a->head_size);
    if (is->sums == 0) tile.parts = 1;
    double pairs = tile.parts * tiled_pairs(a, 64, tile.columns), row_tiles = ceil((double)a->sequence / 64);
    double groups = tile.parts * row_tiles * a->batch * a->heads, products = is->scores + is->sums;
    ms_bench_kernel kernel = {.launches = 1, .bytes = is->bytes, .warps = tile.warps};
    kernel.threads = tile.threads * groups;
    kernel.resident = 128 * tile.warps;
    /* A thread block's mean way. */
    kernel.rounds =
        (is->scores * tile.scores_waits + is->sums * tile.sums_waits) * pairs / (groups * 64 * tile.columns);
    kernel.lanes = pairs * (tile.operations * (is->scores * tile.depth + is->sums * tile.numbers) + is->lanes +
                            exp_operations * is->exps);
    kernel.shared_bytes = pairs * tile_shared_bytes(is, &tile);
    ms_bench_expect_kernel(c->target, &kernel, work);
    double flops = 2 * products * (double)a->head_size * pairs;
    if (!is_cuda(c)) work->launches += ceil(flops / submission_flops) - 1; /* it is cut */
}

/* ---- attention ---- */

static double bytes_of(const counter *c, const ms_node *node) {
    double bytes = 0;
    for (int i = 0; i < node->n_inputs; i++) bytes += ms_bench_in_bytes(c, node, i);
    for (int i = 0; i < node->n_outputs; i++) bytes += ms_bench_out_bytes(c, node, i);
    return bytes;
}

static bool takes_warps(const counter *c, const ms_node *node) {
    return is_cuda(c) && c->target->tf32 > 0 && node->attributes.attention.head_size <= 128;
}

/* On CUDA by the products of `exact`. */
static void count_logit_max(const counter *c, const ms_node *node, ms_bench_work *work) {
    const ms_attention_attributes *a = &node->attributes.attention;
    double found = (double)a->batch * a->heads * (double)a->sequence / (is_cuda(c) ? 64 : 1);
    tile_kernel tiles = {.scores = 1, .lanes = 3, .bytes = bytes_of(c, node) + 4 * found};
    count_tile_kernel(c, node, &tiles, work);
    ms_bench_kernel join = ms_bench_pass(c, found, 4 * found, false);
    ms_bench_expect_kernel(c->target, &join, work);
}

void ms_bench_count_attention(const counter *c, const ms_node *node, ms_bench_work *work) {
    double bytes = bytes_of(c, node);
    if (node->op == MS_OP_ATTENTION_LOGIT_MAX)
        count_logit_max(c, node, work);
    else if (takes_warps(c, node))
        count_warp_kernel(c, node, &forward, bytes, work);
    else /* `exact` makes the scores twice */
        count_tile_kernel(c, node, &(tile_kernel){is_cuda(c) ? 2 : 1, 1, 1, 6, bytes}, work);
}

/* What each query head gives to dk and dv on Vulkan, in f32: written for each chunk of queries that see a key, which
   adds to those before. */
static double key_sum_bytes(const counter *c, const ms_node *node) {
    double length = (double)node->attributes.attention.sequence, accesses = 0, tiles = ceil(length / 64);
    for (double tile = 0; tile < tiles; tile++)
        accesses += 2 * (ceil(length / MS_DEPTH_CHUNK) - floor(64 * tile / MS_DEPTH_CHUNK)) - 1;
    return 8 * ms_bench_elements(c, node->inputs[0]) * accesses / tiles;
}

/* delta from o and do; dq; then dk and dv, which makes the scores and do v^T again: seven products, where the graph
   needs five. */
void ms_bench_count_attention_grad(const counter *c, const ms_node *node, ms_bench_work *work) {
    double q = ms_bench_in_bytes(c, node, 0), k = ms_bench_in_bytes(c, node, 1), lse = ms_bench_in_bytes(c, node, 4);
    double query_bytes = 3 * q + 2 * k + 2 * lse, key_bytes = 2 * q + 4 * k + 2 * lse;
    ms_bench_kernel delta =
        ms_bench_pass(c, ms_bench_elements(c, node->inputs[0]), 2 * q + lse, ms_bench_is_bf16(c, node, 0));
    ms_bench_expect_kernel(c->target, &delta, work);
    if (takes_warps(c, node)) {
        count_warp_kernel(c, node, &queries, query_bytes, work);
        count_warp_kernel(c, node, &keys, key_bytes, work);
        return;
    }
    count_tile_kernel(c, node, &(tile_kernel){2, 1, 1, 4, query_bytes}, work);
    if (!is_cuda(c)) key_bytes += key_sum_bytes(c, node) - 2 * k;
    count_tile_kernel(c, node, &(tile_kernel){2, 2, 1, 4, key_bytes}, work);
    if (is_cuda(c)) return;
    double sums = 2 * ms_bench_elements(c, node->inputs[0]);
    ms_bench_kernel join = ms_bench_pass(c, sums, 4 * sums + 2 * k, false);
    ms_bench_expect_kernel(c->target, &join, work);
}
