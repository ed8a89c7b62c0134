/* attention_logit_max on Vulkan: see shaders/attention_tile_logit_max.comp or, for software drivers,
   attention_logit_max.comp; then attention_logit_max_join.comp. */
#include "backend/vulkan/ops/attention_plan.h"
#include "backend/vulkan/ops/attention_tile.h"

enum { MAX_SHARED_HEADS = 2, JOIN_WIDTH = 64 };

static void push_operands(const ms_vulkan_call *call, const ms_operand *found, ms_vulkan_dispatch *dispatch) {
    for (int i = 0; i < 2; i++) ms_vulkan_push_read(dispatch, &call->in[i]);
    ms_vulkan_push_write(dispatch, found);
}

static ms_status emit_rows(const ms_vulkan_call *call, const ms_operand *found) {
    static const ms_vulkan_attention_shaders shaders = {.any = "attention_logit_max"};
    ms_vulkan_attention_plan plan;
    MS_TRY(ms_vulkan_attention_plan_of(call, &shaders, MAX_SHARED_HEADS, 0, &plan));
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_dispatch(call, &plan);
    push_operands(call, found, &dispatch);
    return ms_vulkan_emit_attention(call, &plan, &dispatch);
}

static ms_status emit_tiles(const ms_vulkan_call *call, const ms_operand *found) {
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_tile_dispatch(call, "attention_tile_logit_max");
    push_operands(call, found, &dispatch);
    return ms_vulkan_emit_attention_tiles(call, &dispatch, 1);
}

ms_status ms_vulkan_attention_logit_max(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    const ms_attention_attributes *a = &call->attributes->attention;
    int64_t per_head = (int64_t)a->batch * a->sequence;
    ms_operand found = ms_vulkan_workspace(MS_DTYPE_F32, 0, a->heads * per_head);
    MS_TRY(ms_vulkan_attention_takes_tiles(call) ? emit_tiles(call, &found) : emit_rows(call, &found));
    ms_vulkan_dispatch join = ms_vulkan_dispatch_of("attention_logit_max_join", JOIN_WIDTH, 1, 1);
    ms_vulkan_push_read(&join, &found);
    ms_vulkan_push_write(&join, &call->out[0]);
    ms_vulkan_push_u32(&join, (uint32_t)per_head);
    return ms_vulkan_emit(call->encoder, &join, (uint32_t)a->heads, 1, 1);
}
