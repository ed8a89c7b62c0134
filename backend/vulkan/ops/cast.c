/* cast on Vulkan: see shaders/cast.comp. */
#include "backend/vulkan/ops/copy.h"
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_cast(const ms_vulkan_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    if (x->dtype == y->dtype) return ms_vulkan_copy_all(call, x, y);
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "cast", y->count);
    ms_vulkan_constant_dtype(&dispatch, x);
    ms_vulkan_constant_dtype(&dispatch, y);
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)y->count);
    return ms_vulkan_emit_elements(call, &dispatch, y->count);
}
