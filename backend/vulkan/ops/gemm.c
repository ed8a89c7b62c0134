/* Which kernel runs a GEMM: see gemm.h and shaders/matmul.glsl. */
#include "backend/vulkan/ops/gemm.h"

#include "backend/exact_constants.h"

enum {
    SUM_WIDTH = 64,
    SUM_ITEMS = 8,
    MAX_SPLIT_NUMBERS = 1 << 24 /* of workspace */
};

/* The GEMM with its operands: those of the call, or of the first of two dispatches. */
typedef struct encoded_gemm {
    ms_gemm is;
    const ms_operand *left, *right, *c, *y; /* c absent or like y, may be its place */
} encoded_gemm;

typedef struct gemm_kernel {
    const char *shader;
    uint32_t width, height;     /* of a workgroup */
    uint32_t n_rows, n_columns; /* of the tile that a workgroup makes */
} gemm_kernel;

/* The largest first: a larger tile reads less memory per result. */
static const gemm_kernel gpu_kernels[] = {
    {"matmul_8x8", 16, 16, 128, 128},
    {"matmul_4x4", 16, 16, 64, 64},
    {"matmul_8x8", 8, 8, 64, 64},
    {"matmul_4x4", 8, 8, 32, 32},
};
/* For the SIMD lanes of a processor: [all operands f32]. */
static const gemm_kernel lanes_4[] = {{"matmul_lanes_4", 4, 1, 4, 16}, {"matmul_lanes_4_f32", 4, 1, 16, 32}};
static const gemm_kernel lanes_8[] = {{"matmul_lanes_8", 8, 1, 16, 32}, {"matmul_lanes_8_f32", 8, 1, 32, 32}};

typedef struct gemm_plan {
    gemm_kernel kernel;
    int64_t tiles_x, tiles_y, n_chunks; /* n_chunks: 1, or all chunks of the depth when it is split */
    bool split;
} gemm_plan;

static int64_t count_of(int64_t n, int64_t step) { return (n + step - 1) / step; }

static int64_t plan_with(const encoded_gemm *gemm, const gemm_kernel *kernel, int64_t enough, gemm_plan *out) {
    *out = (gemm_plan){.kernel = *kernel, .n_chunks = 1};
    out->tiles_x = count_of(gemm->is.right.n_rows, kernel->n_columns);
    out->tiles_y = count_of(gemm->is.left.n_rows, kernel->n_rows);
    int64_t n_groups = gemm->is.batch * out->tiles_x * out->tiles_y,
            n_chunks = count_of(gemm->is.left.depth, MS_DEPTH_CHUNK);
    out->split = n_groups < enough && n_chunks > 1 && n_chunks * gemm->y->count <= MAX_SPLIT_NUMBERS;
    if (out->split) out->n_chunks = n_chunks;
    return n_groups * out->n_chunks;
}

/* NULL when lanes cannot exchange numbers, or there are not 4 or 8 of them. */
static const gemm_kernel *lanes_kernel_of(const ms_vulkan_limits *limits, const encoded_gemm *gemm) {
    bool is_f32 =
        gemm->left->dtype == MS_DTYPE_F32 && gemm->right->dtype == MS_DTYPE_F32 && gemm->y->dtype == MS_DTYPE_F32;
    if (!limits->is_cpu || !limits->subgroup_exchange) return NULL;
    if (limits->subgroup_size == 4) return &lanes_4[is_f32];
    return limits->subgroup_size == 8 ? &lanes_8[is_f32] : NULL;
}

static gemm_plan plan_of(const ms_vulkan_call *call, const encoded_gemm *gemm) {
    const ms_vulkan_limits *limits = call->limits;
    int64_t enough = limits->busy_workgroups;
    gemm_plan plan;
    const gemm_kernel *lanes = lanes_kernel_of(limits, gemm);
    if (lanes) {
        plan_with(gemm, lanes, enough, &plan);
        return plan;
    }
    for (size_t i = 0; i < sizeof gpu_kernels / sizeof *gpu_kernels; i++) {
        const gemm_kernel *kernel = &gpu_kernels[i];
        if (kernel->width * kernel->height > limits->max_invocations) continue;
        if (plan_with(gemm, kernel, enough, &plan) >= enough) break;
    }
    return plan;
}

/* Whether every access along the dimension that is adjacent in memory can be to four aligned numbers. */
static bool takes_quads(const ms_operand *operand, int64_t adjacent) {
    return !ms_vulkan_is_given(operand) ||
           (adjacent % 4 == 0 && ms_vulkan_is_aligned(operand, 4 * (int64_t)ms_dtype_size(operand->dtype)));
}

static bool gemm_takes_quads(const encoded_gemm *gemm) {
    return takes_quads(gemm->left, ms_factor_stride(&gemm->is.left)) &&
           takes_quads(gemm->right, ms_factor_stride(&gemm->is.right)) && takes_quads(gemm->c, gemm->is.right.n_rows) &&
           takes_quads(gemm->y, gemm->is.right.n_rows);
}

/* Whether a factor can be loaded in whole octets of bf16: those along the depth must fit in the tiles' depth. */
static bool takes_octets(const ms_operand *operand, const ms_factor *factor, const gemm_kernel *kernel) {
    uint32_t step = kernel->width * kernel->width * 4 / kernel->n_rows; /* STEP of matmul_tile.glsl */
    return operand->dtype == MS_DTYPE_BF16 && ms_factor_stride(factor) % 8 == 0 && ms_vulkan_is_aligned(operand, 16) &&
           (factor->transposed || step % 8 == 0);
}

/* VECTOR of matmul_tile.glsl. */
static uint32_t vector_of(const encoded_gemm *gemm, const gemm_kernel *kernel) {
    if (!gemm_takes_quads(gemm)) return 0;
    if (kernel->height == 1) return 1; /* one for lanes, which does not ask */
    return takes_octets(gemm->left, &gemm->is.left, kernel) && takes_octets(gemm->right, &gemm->is.right, kernel) ? 2
                                                                                                                  : 1;
}

/* Steps between rows, depths and matrices, in the order of the push constants. */
static void push_steps(ms_vulkan_dispatch *dispatch, const ms_factor *factor) {
    ms_vulkan_push_u32(dispatch, factor->transposed ? 1 : (uint32_t)factor->depth);
    ms_vulkan_push_u32(dispatch, factor->transposed ? (uint32_t)factor->n_rows : 1);
    ms_vulkan_push_u32(dispatch, (uint32_t)ms_factor_step(factor));
}

static ms_status emit_gemm(const ms_vulkan_call *call, const encoded_gemm *gemm, const gemm_plan *plan) {
    const ms_factor *left = &gemm->is.left, *right = &gemm->is.right;
    int64_t n_groups = gemm->is.batch * plan->tiles_x * plan->tiles_y * plan->n_chunks;
    ms_vulkan_dispatch dispatch =
        ms_vulkan_dispatch_of(plan->kernel.shader, plan->kernel.width, plan->kernel.height, 1);
    ms_vulkan_constant_dtype(&dispatch, gemm->left);
    ms_vulkan_constant_dtype(&dispatch, gemm->right);
    ms_vulkan_constant_dtype(&dispatch, gemm->y);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(gemm->c));
    ms_vulkan_constant_u32(&dispatch, gemm->is.symmetric);
    ms_vulkan_constant_u32(&dispatch, vector_of(gemm, &plan->kernel));
    ms_vulkan_constant_u32(&dispatch, left->transposed);
    ms_vulkan_constant_u32(&dispatch, right->transposed);
    ms_vulkan_constant_u32(&dispatch,
                           call->limits->numerics == MS_NUMERICS_EXACT && !plan->split && left->depth > MS_DEPTH_CHUNK);
    ms_vulkan_push_read(&dispatch, gemm->left);
    ms_vulkan_push_read(&dispatch, gemm->right);
    ms_vulkan_push_read(&dispatch, gemm->c);
    ms_vulkan_push_write(&dispatch, gemm->y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_groups);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->tiles_x);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->tiles_y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)plan->n_chunks);
    ms_vulkan_push_u32(&dispatch, (uint32_t)left->n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)right->n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)left->depth);
    ms_vulkan_push_u32(&dispatch, (uint32_t)gemm->is.batch);
    push_steps(&dispatch, left);
    push_steps(&dispatch, right);
    ms_vulkan_push_f32(&dispatch, gemm->is.alpha);
    ms_vulkan_push_f32(&dispatch, gemm->is.beta);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, n_groups);
}

static ms_status emit_sum(const ms_vulkan_call *call, const encoded_gemm *gemm, const ms_operand *chunk_sums,
                          int64_t n_chunks) {
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("matmul_sum", SUM_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, SUM_ITEMS);
    ms_vulkan_constant_dtype(&dispatch, gemm->y);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(gemm->c));
    ms_vulkan_push_read(&dispatch, chunk_sums);
    ms_vulkan_push_read(&dispatch, gemm->c);
    ms_vulkan_push_write(&dispatch, gemm->y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)gemm->y->count);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_chunks);
    ms_vulkan_push_f32(&dispatch, gemm->is.alpha);
    ms_vulkan_push_f32(&dispatch, gemm->is.beta);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, count_of(gemm->y->count, SUM_WIDTH * SUM_ITEMS));
}

ms_status ms_vulkan_encode_gemm(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    encoded_gemm gemm = {.is = *call->gemm,
                         .left = &call->in[0],
                         .right = &call->in[call->gemm->symmetric ? 0 : 1],
                         .c = &call->in[2],
                         .y = &call->out[0]};
    gemm_plan plan = plan_of(call, &gemm);
    if (!plan.split) return emit_gemm(call, &gemm, &plan);
    ms_operand chunk_sums = ms_vulkan_workspace(MS_DTYPE_F32, 0, plan.n_chunks * gemm.y->count);
    ms_operand absent = ms_vulkan_absent();
    encoded_gemm part = gemm;
    part.y = &chunk_sums;
    part.c = &absent;
    part.is.alpha = 1;
    MS_TRY(emit_gemm(call, &part, &plan));
    return emit_sum(call, &gemm, &chunk_sums, plan.n_chunks);
}
