/* random_normal on Vulkan: see shaders/random_normal.comp. */
#include "backend/cpu/philox.h"
#include "backend/vulkan/ops/elementwise.h"

static const int64_t step_limit = ((int64_t)1 << 24) + 1; /* steps are floats, exact up to 2^24 */

ms_status ms_vulkan_random_normal(const ms_vulkan_call *call) {
    const ms_operand *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    const ms_random_normal_attributes *attributes = &call->attributes->random_normal;
    uint64_t key = ms_philox_key(attributes->seed, attributes->stream);
    bool has_step = attributes->step_scalar >= 0;
    ms_vulkan_dispatch dispatch = ms_vulkan_elementwise(call, "random_normal", y->count);
    ms_vulkan_constant_u32(&dispatch, has_step);
    ms_vulkan_constant_u32(&dispatch, has_step ? (uint32_t)attributes->step_scalar : 0);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_step_scalars(&dispatch);
    ms_vulkan_push_fault(&dispatch, step_limit);
    ms_vulkan_push_coefficient(&dispatch, attributes->deviation);
    ms_vulkan_push_u32(&dispatch, (uint32_t)key);
    ms_vulkan_push_u32(&dispatch, (uint32_t)(key >> 32));
    ms_vulkan_push_u32(&dispatch, (uint32_t)y->count);
    return ms_vulkan_emit_elements(call, &dispatch, y->count);
}
