/* adamw on Vulkan: see shaders/adamw.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_adamw(const ms_vulkan_call *call) {
    const ms_adamw_attributes *attributes = &call->attributes->adamw;
    bool is_wanted = false;
    for (int i = 0; i < 3; i++) is_wanted = is_wanted || ms_vulkan_is_given(&call->out[i]);
    if (!is_wanted) return MS_OK;
    int64_t count = call->in[0].count;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "adamw", count);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->in[4]));
    for (int i = 0; i < 3; i++) ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[i]));
    ms_vulkan_constant_f32(&dispatch, attributes->beta1);
    ms_vulkan_constant_f32(&dispatch, attributes->beta2);
    ms_vulkan_constant_f32(&dispatch, attributes->epsilon);
    ms_vulkan_constant_f32(&dispatch, attributes->decay);
    for (int i = 0; i < 5; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    for (int i = 0; i < 3; i++) ms_vulkan_push_write(&dispatch, &call->out[i]);
    ms_vulkan_push_step_scalars(&dispatch);
    ms_vulkan_push_coefficient(&dispatch, attributes->lr);
    ms_vulkan_push_coefficient(&dispatch, attributes->inverse_bias1);
    ms_vulkan_push_coefficient(&dispatch, attributes->inverse_bias2);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_elements(call, &dispatch, count);
}
