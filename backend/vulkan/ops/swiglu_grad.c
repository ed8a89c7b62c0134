/* swiglu_grad on Vulkan: see shaders/swiglu_grad.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_swiglu_grad(const ms_vulkan_call *call) {
    const ms_vulkan_operand *dgate = &call->out[0], *dup = &call->out[1];
    if (!ms_vulkan_is_given(dgate) && !ms_vulkan_is_given(dup)) return MS_OK;
    int64_t count = call->in[0].count;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "swiglu_grad", count);
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(dgate));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(dup));
    for (int i = 0; i < 3; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    ms_vulkan_push_write(&dispatch, dgate);
    ms_vulkan_push_write(&dispatch, dup);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_elements(call, &dispatch, count);
}
