/* The ops of kind ELEMENTWISE on Vulkan: shaders/elementwise.comp, compiled once for each of them. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_formula(const ms_vulkan_call *call) {
    const ms_op_info *info = ms_op_get(call->op);
    bool is_wanted = false;
    for (int i = 0; i < info->n_outputs; i++) is_wanted = is_wanted || ms_vulkan_is_given(&call->out[i]);
    if (!is_wanted) return MS_OK;
    int64_t count = call->in[0].count;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, info->name, count);
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    for (int i = 0; i < info->n_outputs; i++) ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[i]));
    for (int i = 0; i < info->max_inputs; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    for (int i = 0; i < info->n_outputs; i++) ms_vulkan_push_write(&dispatch, &call->out[i]);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_elements(call, &dispatch, count);
}
