/* Filling memory on Vulkan: see shaders/fill.comp. */
#ifndef MS_BACKEND_VULKAN_OPS_FILL_H
#define MS_BACKEND_VULKAN_OPS_FILL_H

#include "backend/vulkan/vulkan_kernel.h"

/* Emits a fill of y with `bits`: one 32-bit element, or a 16-bit element in both halves. */
ms_status ms_vulkan_fill_bits(const ms_vulkan_call *call, const ms_operand *y, uint32_t bits);

#endif
