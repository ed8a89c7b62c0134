/* Compute pipelines, made once and kept for the life of a device. */
#ifndef MS_BACKEND_VULKAN_VULKAN_PIPELINE_H
#define MS_BACKEND_VULKAN_VULKAN_PIPELINE_H

#include <pthread.h>

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
    pthread_mutex_t mutex;   /* for modules, while pipelines are made */
    ms_vulkan_pipeline *items;
    int n_items;
} ms_vulkan_pipelines;

/* Reads the cache of this device and driver from $XDG_CACHE_HOME/muonscope (or ~/.cache/muonscope); one that is
   missing, foreign or damaged is ignored. */
ms_status ms_vulkan_pipelines_init(const ms_vulkan_context *context, ms_vulkan_pipelines *out);
/* Writes the cache back when it has grown; not that of a lost device. */
void ms_vulkan_pipelines_finish(ms_vulkan_pipelines *pipelines, bool is_lost);
/* The row of a shader for a device's numerics and storage.  MS_UNSUPPORTED: there is none of that name. */
ms_status ms_vulkan_shader_find(const ms_vulkan_limits *limits, const char *name, int *out);
/* Makes those of n_wanted pipelines that were not made before, on all processors at once: drivers compile then.  Where
   that takes long, lines on stderr say how far it is.  An error names the pipeline, the first one of those that failed;
   the others are kept. `wanted`: shader, n_constants and constants of each. */
ms_status ms_vulkan_pipelines_make(ms_vulkan_pipelines *pipelines, const ms_vulkan_pipeline *wanted, int n_wanted);
/* Whether a line of progress is due, so many seconds after the beginning, when n_done of n_items pipelines are made:
   after MS_VULKAN_FIRST_LINE seconds, which is what *next_line begins with, then every ten; never when all is done. */
#define MS_VULKAN_FIRST_LINE 2.0
bool ms_vulkan_progress_is_due(double seconds, int n_done, int n_items, double *next_line);
/* A pipeline that was made before.  Valid until the device is closed.  MS_INTERNAL: it was not. */
ms_status ms_vulkan_pipeline_get(const ms_vulkan_pipelines *pipelines, const ms_vulkan_pipeline *wanted,
                                 VkPipeline *out);

#endif
