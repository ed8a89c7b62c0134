/* How attention, its gradient and the largest logits cut their work on GPUs: see shaders/attention_tile.glsl. */
#ifndef MS_BACKEND_VULKAN_OPS_ATTENTION_TILE_H
#define MS_BACKEND_VULKAN_OPS_ATTENTION_TILE_H

#include "backend/vulkan/vulkan_kernel.h"

/* Whether the device takes these kernels: every one but software drivers, whose own are in attention_plan.h. */
static inline bool ms_vulkan_attention_takes_tiles(const ms_vulkan_call *call) { return !call->limits->is_cpu; }

/* A dispatch of shaders/<shader>.comp with the constants of attention_tile.glsl (3 to 7). */
ms_vulkan_dispatch ms_vulkan_attention_tile_dispatch(const ms_vulkan_call *call, const char *shader);

/* Pushes the numbers that all of these shaders end with, and emits.  `products` of a head's numbers are made for each
   pair of a row and a walked row.  By that estimate each dispatch has at most the limits' part_flops, and at least one
   workgroup: they are cut between tiles of rows of all heads or, where these are too much, between heads and sequences.
   No sum is cut, so the bits are those of a single dispatch. */
ms_status ms_vulkan_emit_attention_tiles(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int products);

#endif
