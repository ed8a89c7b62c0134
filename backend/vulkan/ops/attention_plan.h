/* How attention, its gradient and the largest logits cut their work on software drivers: see shaders/attention.glsl.
   GPUs: attention_tile.h. */
#ifndef MS_BACKEND_VULKAN_OPS_ATTENTION_PLAN_H
#define MS_BACKEND_VULKAN_OPS_ATTENTION_PLAN_H

#include "backend/vulkan/vulkan_kernel.h"

enum { MS_VULKAN_MAX_HEAD_SIZE = 256 };

/* One kernel of attention: its shader and how many rows an invocation and a workgroup own. */
typedef struct ms_vulkan_attention_plan {
    const char *shader;
    uint32_t width;        /* invocations of a workgroup */
    uint32_t rows;         /* per invocation: a power of two, at most 16 */
    uint32_t shared_heads; /* heads of one group among the rows of an invocation; rows / shared_heads are neighbours */
    bool vector;           /* all data at multiples of four numbers */
} ms_vulkan_attention_plan;

/* A shader with literal sizes, for software drivers. */
typedef struct ms_vulkan_attention_variant {
    const char *shader;
    int32_t head_size; /* its ATTENTION_HEAD_SIZE */
    uint32_t rows;     /* its ATTENTION_ROWS */
} ms_vulkan_attention_variant;

enum { MS_VULKAN_ATTENTION_VARIANTS = 3 };

/* The shaders of one kernel. */
typedef struct ms_vulkan_attention_shaders {
    const char *any; /* of any head size */
    ms_vulkan_attention_variant variants[MS_VULKAN_ATTENTION_VARIANTS];
} ms_vulkan_attention_shaders;

/* MS_UNSUPPORTED: heads of more than 256 numbers. */
ms_status ms_vulkan_attention_check(const ms_vulkan_call *call);

/* VECTOR of quads.glsl: 1 when every row of every operand takes whole quads, 2 when, in bf16, whole octets. */
uint32_t ms_vulkan_attention_vector(const ms_vulkan_call *call);

/* Chooses by the head size and the device; `max_shared_heads` bounds shared_heads, `shared_bytes_per_row` is the shared
   memory that the shader takes per row of a workgroup.  MS_UNSUPPORTED: heads of more than 256 numbers. */
ms_status ms_vulkan_attention_plan_of(const ms_vulkan_call *call, const ms_vulkan_attention_shaders *shaders,
                                      uint32_t max_shared_heads, uint32_t shared_bytes_per_row,
                                      ms_vulkan_attention_plan *out);

/* The dispatch with the constants of attention.glsl (3 to 9). */
ms_vulkan_dispatch ms_vulkan_attention_dispatch(const ms_vulkan_call *call, const ms_vulkan_attention_plan *plan);

/* Pushes the numbers of attention.glsl's main for `n_heads` (heads, or key/value heads) of every sequence and emits. */
ms_status ms_vulkan_emit_attention(const ms_vulkan_call *call, const ms_vulkan_attention_plan *plan,
                                   ms_vulkan_dispatch *dispatch);

#endif
