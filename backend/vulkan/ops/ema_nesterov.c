/* ema_nesterov on Vulkan: see shaders/ema_nesterov.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_ema_nesterov(const ms_vulkan_call *call) {
    const ms_ema_nesterov_attributes *attributes = &call->attributes->ema_nesterov;
    const ms_operand *m_out = &call->out[0], *u = &call->out[1];
    if (!ms_vulkan_is_given(m_out) && !ms_vulkan_is_given(u)) return MS_OK;
    int64_t count = call->in[0].count;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "ema_nesterov", count);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->in[2]));
    ms_vulkan_constant_u32(&dispatch, attributes->nesterov);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(m_out));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(u));
    for (int i = 0; i < 3; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    ms_vulkan_push_write(&dispatch, m_out);
    ms_vulkan_push_write(&dispatch, u);
    ms_vulkan_push_step_scalars(&dispatch);
    ms_vulkan_push_coefficient(&dispatch, attributes->momentum);
    ms_vulkan_push_u32(&dispatch, (uint32_t)count);
    return ms_vulkan_emit_elements(call, &dispatch, count);
}
