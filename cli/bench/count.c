#include "cli/bench/count.h"

#include <math.h>

#include "backend/exact_constants.h"

/* Of the loops that walk through memory, how many of their rounds are on the way at one time on CUDA: by their machine
   code (ci/cuda_loads.txt).  On Vulkan, whose drivers unroll as they like, one. */
enum {
    COLUMN_ROUNDS = 16,   /* sums over rows, by all threads of a block */
    PART_ROUNDS = 8,      /* sums over sums of blocks of the reduction rule */
    HEAD_ROUNDS = 4,      /* sums over a head */
    HEAD_GRAD_ROUNDS = 2, /* sums over a head's gradient */
    LOSS_ROUNDS = 4,      /* the first walk over a row of logits */
    EMBED_ROUNDS = 128    /* tokens of a common row of the embedding's gradient, by all threads of a block */
};
/* The same on Vulkan, where one thread loads them. */
enum { VULKAN_EMBED_ROUNDS = 8 };
/* A rotated row of qk_norm_rope_grad is loaded in two rounds on Vulkan, where which way the pairs lie is found out at
   run time. */
enum { VULKAN_ROPE_ROUNDS = 2 };
/* How much of English text its commonest token is: 750 of 16,384. */
static const double COMMON_TOKEN = 0.046;

typedef struct ms_bench_counter counter;

static bool is_cuda(const counter *c) { return c->target->backend == MS_TARGET_CUDA; }

/* How many times a thread waits that makes n rounds of loads. */
static double waits(const counter *c, double n, int at_once) { return ceil(is_cuda(c) ? n / at_once : n); }

/* ---- operands ---- */

double ms_bench_elements(const counter *c, ms_tensor tensor) {
    if (tensor == MS_NO_TENSOR || c->plan->places[tensor].offset < 0) return 0;
    return (double)ms_shape_count(&ms_graph_tensor(c->graph, tensor)->shape);
}

double ms_bench_bytes(const counter *c, ms_tensor tensor) {
    double elements = ms_bench_elements(c, tensor);
    return elements > 0 ? elements * (double)ms_dtype_size(ms_graph_tensor(c->graph, tensor)->dtype) : 0;
}

double ms_bench_in_bytes(const counter *c, const ms_node *node, int i) {
    return i < node->n_inputs ? ms_bench_bytes(c, node->inputs[i]) : 0;
}

double ms_bench_out_bytes(const counter *c, const ms_node *node, int i) {
    return i < node->n_outputs ? ms_bench_bytes(c, node->outputs[i]) : 0;
}

bool ms_bench_is_bf16(const counter *c, const ms_node *node, int i) {
    return ms_graph_tensor(c->graph, node->inputs[i])->dtype == MS_DTYPE_BF16;
}

static const ms_shape *shape_of(const counter *c, const ms_node *node, int i) {
    return &ms_graph_tensor(c->graph, node->inputs[i])->shape;
}

static double all_bytes(const counter *c, const ms_node *node) {
    double bytes = 0;
    for (int i = 0; i < node->n_inputs; i++) bytes += ms_bench_in_bytes(c, node, i);
    for (int i = 0; i < node->n_outputs; i++) bytes += ms_bench_out_bytes(c, node, i);
    return bytes;
}

/* Numbers of a load. */
static double pack(const counter *c, bool is_bf16) { return is_cuda(c) ? (is_bf16 ? 8 : 4) : 4; }

ms_bench_kernel ms_bench_pass(const counter *c, double elements, double bytes, bool is_bf16) {
    return (ms_bench_kernel){.launches = 1, .bytes = bytes, .threads = elements / pack(c, is_bf16), .rounds = 1};
}

static void add(const counter *c, ms_bench_kernel kernel, ms_bench_work *work) {
    ms_bench_expect_kernel(c->target, &kernel, work);
}

/* Each operand read or written once by one kernel. */
static void count_elements(const counter *c, const ms_node *node, ms_bench_work *work) {
    double elements = 0;
    for (int i = 0; i < node->n_inputs; i++) elements = fmax(elements, ms_bench_elements(c, node->inputs[i]));
    for (int i = 0; i < node->n_outputs; i++) elements = fmax(elements, ms_bench_elements(c, node->outputs[i]));
    bool is_bf16 = node->n_inputs > 0 && ms_bench_is_bf16(c, node, 0);
    add(c, ms_bench_pass(c, elements, all_bytes(c, node), is_bf16), work);
}

static void count_copy(const counter *c, ms_tensor tensor, ms_bench_work *work) {
    add(c, ms_bench_pass(c, ms_bench_elements(c, tensor), 2 * ms_bench_bytes(c, tensor), false), work);
}

/* ---- sums ---- */

static double blocks_of(double n) { return ceil(n / MS_REDUCE_BLOCK); }

/* Sums over the rows of a matrix. */
typedef struct column_sums {
    double rows, columns;
    double bytes;  /* that the terms take */
    double rounds; /* of loads, a row */
    bool is_bf16;
} column_sums;

/* A thread block has 32 lanes of rows and 2 packs of columns (Vulkan: 4), one block of the reduction rule, and on CUDA
   four threads that load and one that adds for each of those; sums of blocks by another launch. */
static void count_columns(const counter *c, column_sums sums, ms_bench_work *work) {
    double packs = is_cuda(c) ? 2 : 4, a_pack = is_cuda(c) ? 5 : 1,
           tiles = ceil(sums.columns / (packs * pack(c, sums.is_bf16)));
    for (;;) {
        double blocks = blocks_of(sums.rows), a_lane = ceil(fmin(sums.rows, MS_REDUCE_BLOCK) / MS_LANES);
        ms_bench_kernel kernel = {
            .launches = 1, .bytes = sums.bytes, .threads = tiles * blocks * packs * MS_LANES * a_pack};
        kernel.rounds = waits(c, a_lane * sums.rounds, COLUMN_ROUNDS);
        add(c, kernel, work);
        if (blocks <= 1) return;
        sums.rows = blocks;
        sums.bytes = 4 * sums.columns * (blocks + 1);
        sums.rounds = 1;
    }
}

/* Sums of parts of tensors: blocks, by a thread block each that loads all of it at once (Vulkan: by the lanes of the
   reduction rule); then the sums of blocks of each part by a thread block. */
static void count_sums(const counter *c, const ms_node *node, ms_bench_work *work) {
    ms_matrix_shape matrix = ms_shape_matrix(shape_of(c, node, 0));
    const ms_sum_squares_attributes *squares = &node->attributes.sum_squares;
    bool parted = node->op == MS_OP_SUM_SQUARES && squares->n_groups > 0, is_bf16 = ms_bench_is_bf16(c, node, 0);
    double elements = ms_bench_elements(c, node->inputs[0]), parts = parted ? (double)squares->n_groups : 1;
    double a_part = elements / (parts * (parted ? (double)matrix.batch : 1)), n_blocks = blocks_of(a_part);
    ms_bench_kernel first = {.launches = 1, .bytes = all_bytes(c, node)};
    first.threads = elements / MS_REDUCE_BLOCK * (is_cuda(c) ? 128 : MS_LANES / pack(c, is_bf16));
    first.rounds = is_cuda(c) ? 1 : ceil(fmin(a_part, MS_REDUCE_BLOCK) / MS_LANES);
    add(c, first, work);
    if (n_blocks <= 1) return;
    ms_bench_kernel second = {.launches = 1, .bytes = 4 * elements / MS_REDUCE_BLOCK, .threads = 256};
    second.rounds = waits(c, fmin(n_blocks, MS_REDUCE_BLOCK) / MS_LANES, PART_ROUNDS);
    add(c, second, work);
}

/* ---- norms ---- */

/* A row of at most 4096 numbers by a warp or a thread block (Vulkan: 8 invocations), read in one round and kept. */
static void count_norm(const counter *c, const ms_node *node, double bytes, ms_bench_work *work) {
    double columns = (double)ms_shape_matrix(shape_of(c, node, 0)).columns;
    double rows = ms_bench_elements(c, node->inputs[0]) / columns;
    ms_bench_kernel kernel = {.launches = 1, .bytes = bytes, .rounds = 2, .resident = 1024};
    kernel.threads = rows * (is_cuda(c) ? MS_LANES : 8);
    if (!is_cuda(c)) kernel.rounds = 1 + ceil(columns / MS_LANES);
    if (is_cuda(c) && columns > 1024) kernel.threads = 128 * rows;
    add(c, kernel, work);
}

static void count_rms_norm_grad(const counter *c, const ms_node *node, ms_bench_work *work) {
    double columns = (double)ms_shape_matrix(shape_of(c, node, 0)).columns, x = ms_bench_in_bytes(c, node, 0);
    double dy = ms_bench_in_bytes(c, node, 3), rstd = ms_bench_in_bytes(c, node, 2);
    double rows = ms_bench_elements(c, node->inputs[0]) / columns;
    if (ms_bench_out_bytes(c, node, 1) > 0)
        count_columns(c, (column_sums){rows, columns, x + dy + rstd, 1, ms_bench_is_bf16(c, node, 0)}, work);
    if (ms_bench_out_bytes(c, node, 0) > 0) count_norm(c, node, all_bytes(c, node), work);
}

/* 32 numbers of a head at a time. */
static ms_bench_kernel head_kernel(const counter *c, const ms_node *node, double bytes, int at_once) {
    double elements = ms_bench_elements(c, node->inputs[0]), size = (double)node->attributes.rope.head_size;
    ms_bench_kernel kernel = {.launches = 1, .bytes = bytes};
    kernel.threads = elements / size * MS_LANES / pack(c, ms_bench_is_bf16(c, node, 0));
    kernel.rounds = 1 + waits(c, ceil(size / MS_LANES), at_once);
    return kernel;
}

static void count_qk_norm_rope_grad(const counter *c, const ms_node *node, ms_bench_work *work) {
    double size = (double)node->attributes.rope.head_size, rows = ms_bench_elements(c, node->inputs[0]) / size;
    double bytes = ms_bench_in_bytes(c, node, 1) + ms_bench_in_bytes(c, node, 3); /* table and dy */
    if (node->attributes.rope.normalise)                                          /* x, rstd and the gains */
        bytes += ms_bench_in_bytes(c, node, 0) + ms_bench_in_bytes(c, node, 2) + ms_bench_in_bytes(c, node, 4);
    double a_row = is_cuda(c) ? 1 : VULKAN_ROPE_ROUNDS;
    if (ms_bench_out_bytes(c, node, 1) > 0)
        count_columns(c, (column_sums){rows, size, bytes, a_row, ms_bench_is_bf16(c, node, 0)}, work);
    ms_bench_kernel dx = head_kernel(c, node, bytes + ms_bench_out_bytes(c, node, 0), HEAD_GRAD_ROUNDS);
    dx.rounds *= a_row;
    if (ms_bench_out_bytes(c, node, 0) > 0) add(c, dx, work);
}

/* ---- losses and embeddings ---- */

/* A row's logits are read for maximum and sum, and kept in shared memory where they fit, which leaves a multiprocessor
   one thread block; then the gradient is written.  Vulkan: three walks. */
static void count_cross_entropy(const counter *c, const ms_node *node, ms_bench_work *work) {
    const ms_shape *shape = shape_of(c, node, 0);
    double rows = (double)shape->dim[0], columns = (double)shape->dim[1], elements = rows * columns;
    double logits = ms_bench_in_bytes(c, node, 0), dlogits = ms_bench_out_bytes(c, node, 1);
    double threads = is_cuda(c) ? 1024 : 128, per_thread = columns / (threads * 4);
    double row_bytes = 4 * columns, kept_at_once = floor(227 * 1024 / row_bytes);
    bool is_kept = is_cuda(c) && dlogits > 0 && kept_at_once >= 1;
    ms_bench_kernel walk = {.launches = 1, .bytes = logits, .threads = rows * threads};
    walk.bytes += ms_bench_in_bytes(c, node, 1) + ms_bench_out_bytes(c, node, 0); /* a target and a loss each row */
    if (is_kept) walk.resident = fmin(c->target->threads, kept_at_once * threads);
    walk.rounds = waits(c, per_thread, LOSS_ROUNDS);
    walk.specials = 1.25 * elements;
    add(c, walk, work);
    walk.launches = 0;
    walk.bytes = logits;
    if (!is_cuda(c)) add(c, walk, work);
    if (dlogits <= 0) return;
    ms_bench_kernel write = {.bytes = dlogits + (is_kept ? 0 : logits), .threads = walk.threads};
    write.resident = walk.resident;
    write.specials = elements;
    add(c, write, work);
}

/* A common row's tokens: where they stand, then what stands there, as many at one time as are on the way. */
static double common_rounds(const counter *c, double common) {
    return 2 * ceil(common / (is_cuda(c) ? EMBED_ROUNDS : VULKAN_EMBED_ROUNDS));
}

/* Tokens are gathered by row in four passes, in the last of which each token reads a list of its row's (by lines of
   32); then a row's tokens are summed one after the other, the commonest token's longest: on CUDA by a kernel of its
   own, on Vulkan beside the rest, so that the longer of the two counts. */
static void count_embed_grad(const counter *c, const ms_node *node, ms_bench_work *work) {
    double tokens = ms_bench_elements(c, node->inputs[0]), common = ceil(COMMON_TOKEN * tokens);
    for (int i = 0; i < 4; i++) {
        double rounds = i < 3 ? 2 : 2 + ceil(common / 32);
        add(c, (ms_bench_kernel){.launches = 1, .bytes = 12 * tokens, .threads = tokens, .rounds = rounds}, work);
    }
    add(c, (ms_bench_kernel){.launches = 1, .bytes = 4 * (double)node->attributes.embed.rows}, work);
    ms_bench_kernel sums = ms_bench_pass(c, ms_bench_elements(c, node->outputs[0]), all_bytes(c, node), false);
    ms_bench_kernel chain = {.launches = 1, .threads = 1, .rounds = common_rounds(c, common)};
    ms_bench_work once = {0}, common_row = {0};
    add(c, sums, &once);
    if (is_cuda(c)) {
        add(c, chain, &once);
    } else {
        chain.bytes = sums.bytes;
        add(c, chain, &common_row);
    }
    ms_bench_work_add(common_row.seconds > once.seconds ? &common_row : &once, 1, work);
}

/* Input 2: which rows, of insert_rows. */
static void count_insert(const counter *c, const ms_node *node, ms_bench_work *work) {
    const ms_place *base = &c->plan->places[node->inputs[0]], *y = &c->plan->places[node->outputs[0]];
    if (base->variable != y->variable || base->offset != y->offset) count_copy(c, node->inputs[0], work);
    double bytes = 2 * ms_bench_in_bytes(c, node, 1) + ms_bench_in_bytes(c, node, 2);
    add(c, ms_bench_pass(c, ms_bench_elements(c, node->inputs[1]), bytes, false), work);
}

static void count_embed(const counter *c, const ms_node *node, ms_bench_work *work) {
    double y = ms_bench_out_bytes(c, node, 0);
    ms_bench_kernel kernel = ms_bench_pass(c, y / 4, ms_bench_in_bytes(c, node, 1) + 2 * y, false);
    kernel.rounds = 2; /* the index first */
    add(c, kernel, work);
}

bool ms_bench_is_free(const counter *c, const ms_node *node) {
    if (node->op != MS_OP_ASSIGN && node->op != MS_OP_RESHAPE) return false;
    const ms_place *from = &c->plan->places[node->inputs[0]];
    const ms_place *to = &c->plan->places[node->op == MS_OP_ASSIGN ? node->inputs[1] : node->outputs[0]];
    return from->variable == to->variable && from->offset == to->offset;
}

void ms_bench_count(const counter *c, const ms_node *node, ms_bench_work *work) {
    if (ms_bench_is_free(c, node)) return;
    switch (node->op) {
    case MS_OP_MATMUL:
    case MS_OP_GRAM:
        ms_bench_count_gemm(c, node, work);
        return;
    case MS_OP_ATTENTION:
    case MS_OP_ATTENTION_LOGIT_MAX:
        ms_bench_count_attention(c, node, work);
        return;
    case MS_OP_ATTENTION_GRAD:
        ms_bench_count_attention_grad(c, node, work);
        return;
    case MS_OP_RMS_NORM:
    case MS_OP_ADD_RMS_NORM:
        count_norm(c, node, all_bytes(c, node), work);
        return;
    case MS_OP_RMS_NORM_GRAD:
        count_rms_norm_grad(c, node, work);
        return;
    case MS_OP_QK_NORM_ROPE:
        add(c, head_kernel(c, node, all_bytes(c, node), HEAD_ROUNDS), work);
        return;
    case MS_OP_QK_NORM_ROPE_GRAD:
        count_qk_norm_rope_grad(c, node, work);
        return;
    case MS_OP_CROSS_ENTROPY:
        count_cross_entropy(c, node, work);
        return;
    case MS_OP_SUM:
    case MS_OP_SUM_SQUARES:
        count_sums(c, node, work);
        return;
    case MS_OP_EMBED:
        count_embed(c, node, work);
        return;
    case MS_OP_EMBED_GRAD:
        count_embed_grad(c, node, work);
        return;
    case MS_OP_SLICE:
        count_copy(c, node->outputs[0], work);
        return;
    case MS_OP_INSERT:
    case MS_OP_INSERT_ROWS:
        count_insert(c, node, work);
        return;
    case MS_OP_ASSIGN:
    case MS_OP_RESHAPE:
        count_copy(c, node->inputs[0], work);
        return;
    default:
        count_elements(c, node, work);
    }
}
