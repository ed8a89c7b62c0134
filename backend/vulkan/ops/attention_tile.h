/* How attention cuts its work on GPUs: see shaders/attention_tile.glsl. */
#ifndef MS_BACKEND_VULKAN_OPS_ATTENTION_TILE_H
#define MS_BACKEND_VULKAN_OPS_ATTENTION_TILE_H

#include "backend/vulkan/vulkan_kernel.h"

/* Whether the device takes these kernels: every one but software drivers, whose own are in attention_plan.h. */
static inline bool ms_vulkan_attention_takes_tiles(const ms_vulkan_call *call) { return !call->limits->is_cpu; }

/* A dispatch of shaders/<shader>.comp with the constants of attention_tile.glsl (3 to 7). */
ms_vulkan_dispatch ms_vulkan_attention_tile_dispatch(const ms_vulkan_call *call, const char *shader);

/* Pushes the numbers that such a shader ends with, and emits.  MS_UNSUPPORTED: heads of more than 256 numbers. */
ms_status ms_vulkan_emit_attention_tiles(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch);

#endif
