/* Compute pipelines, made once and kept for the life of a device. */
#ifndef MS_BACKEND_VULKAN_VULKAN_PIPELINE_H
#define MS_BACKEND_VULKAN_VULKAN_PIPELINE_H

#include "backend/vulkan/vulkan_context.h"
#include "backend/vulkan/vulkan_limits.h"

typedef struct ms_vulkan_pipeline {
    int shader; /* row of the shader table */
    int n_constants;
    uint32_t constants[MS_VULKAN_MAX_CONSTANTS];
    VkPipeline handle;
} ms_vulkan_pipeline;

typedef struct ms_vulkan_pipelines {
    const ms_vulkan_context *context; /* borrowed */
    VkPipelineCache cache;
    size_t cache_bytes_at_start;
    VkPipelineLayout layout; /* 128 bytes of push constants, nothing else */
    VkShaderModule *modules; /* one per shader of the table, made when first used */
    ms_vulkan_pipeline *items;
    int n_items, capacity;
} ms_vulkan_pipelines;

/* Reads the cache of this device and driver from $XDG_CACHE_HOME/muonscope (or ~/.cache/muonscope); one that is
   missing, foreign or damaged is ignored. */
ms_status ms_vulkan_pipelines_init(const ms_vulkan_context *context, ms_vulkan_pipelines *out);
/* Writes the cache back when it has grown; not that of a lost device. */
void ms_vulkan_pipelines_finish(ms_vulkan_pipelines *pipelines, bool is_lost);
/* The row of a shader for a device's numerics and storage.  MS_UNSUPPORTED: there is none of that name. */
ms_status ms_vulkan_shader_find(const ms_vulkan_limits *limits, const char *name, int *out);
/* Makes a pipeline or finds the one made before.  Valid until the device is closed. */
ms_status ms_vulkan_pipeline_get(ms_vulkan_pipelines *pipelines, int shader, const uint32_t *constants, int n_constants,
                                 VkPipeline *out);

#endif
