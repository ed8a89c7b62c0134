#include "backend/vulkan/ops/attention_tile.h"

#include "backend/exact_constants.h"
#include "backend/vulkan/ops/attention_plan.h"

enum { INVOCATIONS = 128, ROWS = 64, MOST_NUMBERS = 128 }; /* of a workgroup; of a result's row there */

ms_vulkan_dispatch ms_vulkan_attention_tile_dispatch(const ms_vulkan_call *call, const char *shader) {
    const ms_attention_attributes *a = &call->attributes->attention;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of(shader, INVOCATIONS, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_attention_vector(call));
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)a->head_size);
    /* `fast` asks for no order of sums, and saves the registers of a second sum. */
    ms_vulkan_constant_u32(&dispatch, call->limits->numerics == MS_NUMERICS_EXACT && a->sequence > MS_DEPTH_CHUNK);
    ms_vulkan_constant_u32(&dispatch, a->sequence > MS_REDUCE_BLOCK);
    return dispatch;
}

ms_status ms_vulkan_emit_attention_tiles(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch) {
    const ms_attention_attributes *a = &call->attributes->attention;
    MS_TRY(ms_vulkan_attention_check(call));
    int64_t parts = (a->head_size + MOST_NUMBERS - 1) / MOST_NUMBERS;
    int64_t n_sets = (int64_t)a->batch * a->heads * parts, n_tiles = (a->sequence + ROWS - 1) / ROWS;
    ms_vulkan_dispatch whole = *dispatch;
    ms_vulkan_push_u32(&whole, 0);
    ms_vulkan_push_u32(&whole, (uint32_t)(n_sets * n_tiles));
    ms_vulkan_push_u32(&whole, (uint32_t)n_sets);
    ms_vulkan_push_u32(&whole, (uint32_t)a->sequence);
    ms_vulkan_push_u32(&whole, (uint32_t)a->heads);
    ms_vulkan_push_u32(&whole, (uint32_t)a->kv_heads);
    ms_vulkan_push_f32(&whole, a->scale);
    return ms_vulkan_emit_linear(call->encoder, &whole, n_sets * n_tiles);
}
