/* attention on Vulkan: see shaders/attention_tile.comp and, for software drivers, attention_forward.glsl. */
#include "backend/exact_constants.h"
#include "backend/vulkan/ops/attention_plan.h"
#include "backend/vulkan/ops/attention_tile.h"

enum {
    LANE_BYTES = MS_LANES * 4, /* shared memory of one row: the lanes of its sum of weights, in `exact` */
    MAX_SHARED_HEADS = 2
};

/* What both kinds of kernel end with, before their numbers. */
static void push_operands(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch) {
    for (int k = 0; k < 2; k++) ms_vulkan_constant_u32(dispatch, ms_vulkan_is_given(&call->out[k]));
    for (int i = 0; i < 3; i++) ms_vulkan_push_read(dispatch, &call->in[i]);
    for (int k = 0; k < 2; k++) ms_vulkan_push_write(dispatch, &call->out[k]);
}

static ms_status emit_rows(const ms_vulkan_call *call) {
    static const ms_vulkan_attention_shaders shaders = {
        .any = "attention",
        .variants = {{"attention_32", 32, 4}, {"attention_64", 64, 2}, {"attention_128", 128, 2}},
    };
    ms_vulkan_attention_plan plan;
    bool exact = call->limits->numerics == MS_NUMERICS_EXACT;
    MS_TRY(ms_vulkan_attention_plan_of(call, &shaders, MAX_SHARED_HEADS, exact ? LANE_BYTES : 0, &plan));
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_dispatch(call, &plan);
    push_operands(call, &dispatch);
    return ms_vulkan_emit_attention(call, &plan, &dispatch);
}

ms_status ms_vulkan_attention(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0]) && !ms_vulkan_is_given(&call->out[1])) return MS_OK;
    if (!ms_vulkan_attention_takes_tiles(call)) return emit_rows(call);
    ms_vulkan_dispatch dispatch = ms_vulkan_attention_tile_dispatch(call, "attention_tile");
    push_operands(call, &dispatch);
    int products = call->limits->numerics == MS_NUMERICS_EXACT ? 3 : 2; /* `exact` makes the scores twice */
    return ms_vulkan_emit_attention_tiles(call, &dispatch, products);
}
