/* Which kernel makes a product: see product.h and shaders/matmul.glsl. */
#include "backend/vulkan/ops/product.h"

#include "backend/exact_constants.h"

enum {
    SUM_WIDTH = 64,
    SUM_ITEMS = 8,
    MAX_SPLIT_NUMBERS = 1 << 24 /* of workspace */
};

/* The product with its operands: those of the call, or of the first of two dispatches. */
typedef struct encoded_product {
    ms_matrix_product is;
    const ms_operand *left, *right, *c, *y; /* c absent or like y, may be its place */
} encoded_product;

typedef struct product_kernel {
    const char *shader;
    uint32_t width, height;     /* of a workgroup */
    uint32_t n_rows, n_columns; /* of the tile that a workgroup makes */
} product_kernel;

/* The largest first: a larger tile reads less memory per result. */
static const product_kernel gpu_kernels[] = {
    {"matmul_8x8", 16, 16, 128, 128},
    {"matmul_4x4", 16, 16, 64, 64},
    {"matmul_8x8", 8, 8, 64, 64},
    {"matmul_4x4", 8, 8, 32, 32},
};
/* For the SIMD lanes of a processor: [all operands f32]. */
static const product_kernel lanes_4[] = {{"matmul_lanes_4", 4, 1, 4, 16}, {"matmul_lanes_4_f32", 4, 1, 16, 32}};
static const product_kernel lanes_8[] = {{"matmul_lanes_8", 8, 1, 16, 32}, {"matmul_lanes_8_f32", 8, 1, 32, 32}};

typedef struct product_plan {
    product_kernel kernel;
    int64_t tiles_x, tiles_y, n_chunks; /* n_chunks: 1, or all chunks of the depth when it is split */
    bool split;
} product_plan;

static int64_t count_of(int64_t n, int64_t step) { return (n + step - 1) / step; }

static int64_t plan_with(const encoded_product *product, const product_kernel *kernel, int64_t enough,
                         product_plan *out) {
    *out = (product_plan){.kernel = *kernel, .n_chunks = 1};
    out->tiles_x = count_of(product->is.right.n_rows, kernel->n_columns);
    out->tiles_y = count_of(product->is.left.n_rows, kernel->n_rows);
    int64_t n_groups = product->is.batch * out->tiles_x * out->tiles_y,
            n_chunks = count_of(product->is.left.depth, MS_DEPTH_CHUNK);
    out->split = n_groups < enough && n_chunks > 1 && n_chunks * product->y->count <= MAX_SPLIT_NUMBERS;
    if (out->split) out->n_chunks = n_chunks;
    return n_groups * out->n_chunks;
}

/* NULL when lanes cannot exchange numbers, or there are not 4 or 8 of them. */
static const product_kernel *lanes_kernel_of(const ms_vulkan_limits *limits, const encoded_product *product) {
    bool is_f32 = product->left->dtype == MS_DTYPE_F32 && product->right->dtype == MS_DTYPE_F32 &&
                  product->y->dtype == MS_DTYPE_F32;
    if (!limits->is_cpu || !limits->subgroup_exchange) return NULL;
    if (limits->subgroup_size == 4) return &lanes_4[is_f32];
    return limits->subgroup_size == 8 ? &lanes_8[is_f32] : NULL;
}

static product_plan plan_of(const ms_vulkan_call *call, const encoded_product *product) {
    const ms_vulkan_limits *limits = call->limits;
    int64_t enough = limits->busy_workgroups;
    product_plan plan;
    const product_kernel *lanes = lanes_kernel_of(limits, product);
    if (lanes) {
        plan_with(product, lanes, enough, &plan);
        return plan;
    }
    for (size_t i = 0; i < sizeof gpu_kernels / sizeof *gpu_kernels; i++) {
        const product_kernel *kernel = &gpu_kernels[i];
        if (kernel->width * kernel->height > limits->max_invocations) continue;
        if (plan_with(product, kernel, enough, &plan) >= enough) break;
    }
    return plan;
}

/* Whether every access along the dimension that is adjacent in memory can be to four aligned numbers. */
static bool takes_quads(const ms_operand *operand, int64_t adjacent) {
    return !ms_vulkan_is_given(operand) ||
           (adjacent % 4 == 0 && ms_vulkan_is_aligned(operand, 4 * (int64_t)ms_dtype_size(operand->dtype)));
}

static bool product_takes_quads(const encoded_product *product) {
    return takes_quads(product->left, ms_factor_stride(&product->is.left)) &&
           takes_quads(product->right, ms_factor_stride(&product->is.right)) &&
           takes_quads(product->c, product->is.right.n_rows) && takes_quads(product->y, product->is.right.n_rows);
}

/* Steps between rows, depths and matrices, in the order of the push constants. */
static void push_steps(ms_vulkan_dispatch *dispatch, const ms_factor *factor) {
    ms_vulkan_push_u32(dispatch, factor->transposed ? 1 : (uint32_t)factor->depth);
    ms_vulkan_push_u32(dispatch, factor->transposed ? (uint32_t)factor->n_rows : 1);
    ms_vulkan_push_u32(dispatch, (uint32_t)ms_factor_step(factor));
}

static ms_status emit_product(const ms_vulkan_call *call, const encoded_product *product, const product_plan *plan) {
    const ms_factor *left = &product->is.left, *right = &product->is.right;
    int64_t n_groups = product->is.batch * plan->tiles_x * plan->tiles_y * plan->n_chunks;
    ms_vulkan_dispatch dispatch =
        ms_vulkan_dispatch_of(plan->kernel.shader, plan->kernel.width, plan->kernel.height, 1);
    ms_vulkan_constant_dtype(&dispatch, product->left);
    ms_vulkan_constant_dtype(&dispatch, product->right);
    ms_vulkan_constant_dtype(&dispatch, product->y);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(product->c));
    ms_vulkan_constant_u32(&dispatch, product->is.symmetric);
    ms_vulkan_constant_u32(&dispatch, product_takes_quads(product));
    ms_vulkan_constant_u32(&dispatch, left->transposed);
    ms_vulkan_constant_u32(&dispatch, right->transposed);
    ms_vulkan_constant_u32(&dispatch,
                           call->limits->numerics == MS_NUMERICS_EXACT && !plan->split && left->depth > MS_DEPTH_CHUNK);
    ms_vulkan_push_read(&dispatch, product->left);
    ms_vulkan_push_read(&dispatch, product->right);
    ms_vulkan_push_read(&dispatch, product->c);
    ms_vulkan_push_write(&dispatch, product->y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_groups);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->tiles_x);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->tiles_y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->n_chunks);
    ms_vulkan_push_u32(&dispatch, (uint32_t)left->n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)right->n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)left->depth);
    ms_vulkan_push_u32(&dispatch, (uint32_t)product->is.batch);
    push_steps(&dispatch, left);
    push_steps(&dispatch, right);
    ms_vulkan_push_f32(&dispatch, product->is.alpha);
    ms_vulkan_push_f32(&dispatch, product->is.beta);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, n_groups);
}

static ms_status emit_sum(const ms_vulkan_call *call, const encoded_product *product, const ms_operand *chunk_sums,
                          int64_t n_chunks) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("matmul_sum", SUM_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, SUM_ITEMS);
    ms_vulkan_constant_dtype(&dispatch, product->y);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(product->c));
    ms_vulkan_push_read(&dispatch, chunk_sums);
    ms_vulkan_push_read(&dispatch, product->c);
    ms_vulkan_push_write(&dispatch, product->y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)product->y->count);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_chunks);
    ms_vulkan_push_f32(&dispatch, product->is.alpha);
    ms_vulkan_push_f32(&dispatch, product->is.beta);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, count_of(product->y->count, SUM_WIDTH * SUM_ITEMS));
}

ms_status ms_vulkan_encode_product(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    encoded_product product = {.is = *call->product,
                               .left = &call->in[0],
                               .right = &call->in[call->product->symmetric ? 0 : 1],
                               .c = &call->in[2],
                               .y = &call->out[0]};
    product_plan plan = plan_of(call, &product);
    if (!plan.split) return emit_product(call, &product, &plan);
    ms_operand chunk_sums = ms_vulkan_workspace(MS_DTYPE_F32, 0, plan.n_chunks * product.y->count);
    ms_operand absent = ms_vulkan_absent();
    encoded_product part = product;
    part.y = &chunk_sums;
    part.c = &absent;
    part.is.alpha = 1;
    MS_TRY(emit_product(call, &part, &plan));
    return emit_sum(call, &product, &chunk_sums, plan.n_chunks);
}
