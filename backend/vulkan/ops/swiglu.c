/* swiglu on Vulkan: see shaders/swiglu.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_swiglu(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    int64_t count = call->out[0].count;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "swiglu", count);
    ms_vulkan_constant_dtype(&dispatch, &call->in[0]);
    ms_vulkan_push_read(&dispatch, &call->in[0]);
    ms_vulkan_push_read(&dispatch, &call->in[1]);
    ms_vulkan_push_write(&dispatch, &call->out[0]);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_elements(call, &dispatch, count);
}
