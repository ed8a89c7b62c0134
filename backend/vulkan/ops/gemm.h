/* What matmul and gram share on Vulkan: which kernel runs the GEMM, and whether its depth is split. */
#ifndef MS_BACKEND_VULKAN_OPS_GEMM_H
#define MS_BACKEND_VULKAN_OPS_GEMM_H

#include "backend/vulkan/vulkan_kernel.h"

/* Encodes the GEMM of the call (backend/ir/gemm.h) as one dispatch, or as two through workspace of at most 64 MiB
   when the result is too small to keep the device busy and its depth is more than MS_DEPTH_CHUNK.  Nothing when nobody
   wants the result.  MS_OUT_OF_MEMORY as ms_vulkan_emit. */
ms_status ms_vulkan_encode_gemm(const ms_vulkan_call *call);

#endif
