/* gram on Vulkan: see product.h. */
#include "backend/vulkan/ops/product.h"

ms_status ms_vulkan_gram(const ms_vulkan_call *call) { return ms_vulkan_encode_product(call); }
