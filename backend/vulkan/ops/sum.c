/* sum on Vulkan: see shaders/sum.comp. */
#include "backend/vulkan/ops/sums.h"

ms_status ms_vulkan_sum(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    ms_vulkan_parts whole = {.matrices = 1, .n_parts = 1, .counts = {call->in[0].count}};
    return ms_vulkan_sums(call, "sum", &whole, &call->in[0], &call->out[0]);
}
