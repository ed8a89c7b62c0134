/* matmul on Vulkan: see gemm.h. */
#include "backend/vulkan/ops/gemm.h"

ms_status ms_vulkan_matmul(const ms_vulkan_call *call) { return ms_vulkan_encode_gemm(call); }
