#include "backend/vulkan/ops/attention_plan.h"

#include "backend/exact_constants.h"
#include "backend/ir/op.h"

/* A processor's private memory holds several rows, and each load is dear there. */
enum { CPU_NUMBERS = 128, MAX_ROWS = 4 };

static uint32_t highest_power_of_two(uint32_t at_most) {
    uint32_t power = 1;
    while (power * 2 <= at_most) power *= 2;
    return power;
}

static bool has_rows_at_multiples(const ms_vulkan_call *call, int32_t numbers, int64_t bytes) {
    if (call->attributes->attention.head_size % numbers != 0) return false;
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        if (ms_vulkan_is_given(&call->in[i]) && !ms_vulkan_is_aligned(&call->in[i], bytes)) return false;
    for (int k = 0; k < MS_MAX_OUTPUTS; k++)
        if (ms_vulkan_is_given(&call->out[k]) && !ms_vulkan_is_aligned(&call->out[k], bytes)) return false;
    return true;
}

uint32_t ms_vulkan_attention_vector(const ms_vulkan_call *call) {
    bool is_f32 = call->in[0].dtype == MS_DTYPE_F32;
    if (!is_f32 && has_rows_at_multiples(call, 8, 16)) return 2;
    return has_rows_at_multiples(call, 4, is_f32 ? 16 : 8);
}

/* Heads of one group that go together. */
static uint32_t shared_heads(const ms_attention_attributes *a, uint32_t rows, uint32_t at_most) {
    uint32_t group = (uint32_t)(a->heads / a->kv_heads), n = 1;
    while (n * 2 <= rows && n * 2 <= at_most && group % (n * 2) == 0) n *= 2;
    return n;
}

static bool divides_sequence(const ms_attention_attributes *a, uint32_t rows, uint32_t max_shared_heads) {
    return (uint32_t)a->sequence % (rows / shared_heads(a, rows, max_shared_heads)) == 0;
}

/* A variant with literal sizes, for software drivers; false: none fits. */
static bool choose_variant(const ms_vulkan_call *call, const ms_vulkan_attention_shaders *shaders,
                           uint32_t max_shared_heads, ms_vulkan_attention_plan *out) {
    const ms_attention_attributes *a = &call->attributes->attention;
    uint32_t lanes = call->limits->subgroup_size;
    bool exchange = call->limits->subgroup_exchange && (lanes == 4 || lanes == 8 || lanes == 16);
    if (!exchange || !out->vector) return false;
    for (int i = 0; i < MS_VULKAN_ATTENTION_VARIANTS; i++) {
        const ms_vulkan_attention_variant *variant = &shaders->variants[i];
        if (variant->head_size != a->head_size || !divides_sequence(a, variant->rows, max_shared_heads)) continue;
        out->shader = variant->shader;
        out->rows = variant->rows;
        return true;
    }
    return false;
}

static uint32_t choose_rows(const ms_attention_attributes *a, uint32_t max_shared_heads) {
    uint32_t head_size = (uint32_t)a->head_size;
    uint32_t rows = highest_power_of_two(head_size > CPU_NUMBERS / 2 ? 1 : CPU_NUMBERS / head_size);
    if (rows > MAX_ROWS) rows = MAX_ROWS;
    while (!divides_sequence(a, rows, max_shared_heads)) rows /= 2;
    return rows;
}

ms_status ms_vulkan_attention_check(const ms_vulkan_call *call) {
    int32_t head_size = call->attributes->attention.head_size;
    if (head_size <= MS_VULKAN_MAX_HEAD_SIZE) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED, "%s: heads of %d numbers, at most %d on Vulkan", ms_op_get(call->op)->name,
                   head_size, MS_VULKAN_MAX_HEAD_SIZE);
}

ms_status ms_vulkan_attention_plan_of(const ms_vulkan_call *call, const ms_vulkan_attention_shaders *shaders,
                                      uint32_t max_shared_heads, uint32_t shared_bytes_per_row,
                                      ms_vulkan_attention_plan *out) {
    const ms_attention_attributes *a = &call->attributes->attention;
    MS_TRY(ms_vulkan_attention_check(call));
    out->vector = ms_vulkan_attention_vector(call) != 0;
    if (!choose_variant(call, shaders, max_shared_heads, out)) {
        out->shader = shaders->any;
        out->rows = choose_rows(a, max_shared_heads);
    }
    out->shared_heads = shared_heads(a, out->rows, max_shared_heads);
    out->width = highest_power_of_two(call->limits->subgroup_size);
    while (out->width > 1 && out->width * out->rows * shared_bytes_per_row > call->limits->shared_bytes)
        out->width /= 2;
    return MS_OK;
}

ms_vulkan_dispatch ms_vulkan_attention_dispatch(const ms_vulkan_call *call, const ms_vulkan_attention_plan *plan) {
    const ms_attention_attributes *a = &call->attributes->attention;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(plan->shader, plan->width, 1, 1);
    ms_vulkan_constant_u32(&dispatch, plan->vector);
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    ms_vulkan_constant_u32(&dispatch, plan->shared_heads);
    /* `fast` asks for no order of sums, and saves the registers of a second sum. */
    ms_vulkan_constant_u32(&dispatch, call->limits->numerics == MS_NUMERICS_EXACT && a->sequence > MS_DEPTH_CHUNK);
    ms_vulkan_constant_u32(&dispatch, a->sequence > MS_REDUCE_BLOCK);
    ms_vulkan_constant_u32(&dispatch, plan->width);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)a->head_size);
    ms_vulkan_constant_u32(&dispatch, plan->rows);
    return dispatch;
}

ms_status ms_vulkan_emit_attention(const ms_vulkan_call *call, const ms_vulkan_attention_plan *plan,
                                   ms_vulkan_dispatch *dispatch) {
    const ms_attention_attributes *a = &call->attributes->attention;
    int64_t positions = (int64_t)plan->width * (plan->rows / plan->shared_heads); /* of a workgroup */
    int64_t n_tiles = (a->sequence + positions - 1) / positions;
    int64_t n_sets = (int64_t)a->batch * (a->heads / (int32_t)plan->shared_heads);
    ms_vulkan_push_u32(dispatch, (uint32_t)(n_sets * n_tiles));
    ms_vulkan_push_u32(dispatch, (uint32_t)n_sets);
    ms_vulkan_push_u32(dispatch, (uint32_t)a->sequence);
    ms_vulkan_push_u32(dispatch, (uint32_t)a->heads);
    ms_vulkan_push_u32(dispatch, (uint32_t)a->kv_heads);
    ms_vulkan_push_f32(dispatch, a->scale);
    return ms_vulkan_emit_linear(call->encoder, dispatch, n_sets * n_tiles);
}
