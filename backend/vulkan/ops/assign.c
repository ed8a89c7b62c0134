/* assign on Vulkan: nothing to do when the plan computed x in place. */
#include "backend/vulkan/ops/copy.h"

ms_status ms_vulkan_assign(const ms_vulkan_call *call) { return ms_vulkan_copy_all(call, &call->in[0], &call->in[1]); }
