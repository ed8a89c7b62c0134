/* A compiled graph on Vulkan. */
#ifndef MS_BACKEND_VULKAN_VULKAN_PROGRAM_H
#define MS_BACKEND_VULKAN_VULKAN_PROGRAM_H

#include "backend/vulkan/vulkan_device.h"
#include "backend/vulkan/vulkan_encoder.h"

/* The nodes with dispatches of a part, as numbers of the device. */
typedef struct ms_vulkan_node_range {
    uint32_t first, last;
} ms_vulkan_node_range;

struct ms_backend_program {
    ms_backend_device *device; /* borrowed */
    ms_call_list *calls;       /* borrowed; times are added here */
    ms_node_table table;       /* last_value: of the work lane */
    ms_vulkan_encoder encoder;
    const ms_backend_buffer *variables; /* borrowed, an ms_vulkan_range each; NULL: never run */
    /* recorded */
    VkCommandPool pool;
    VkCommandBuffer *parts; /* submitted one after the other */
    ms_vulkan_node_range *part_nodes;
    int n_parts, n_barriers;
    uint64_t generation; /* of the device's arena when recorded; 0: not recorded */
    /* timing */
    bool recorded_timing;
    VkQueryPool queries; /* a timestamp after each node, and one before the first */
};

static inline ms_vulkan_range *ms_vulkan_variable(const ms_backend_program *program, int32_t variable) {
    return (ms_vulkan_range *)program->variables[variable];
}

ms_status ms_vulkan_program_create(ms_backend_device *device, const ms_compile_request *request,
                                   ms_backend_program **out);
void ms_vulkan_program_destroy(ms_backend_program *program);
ms_status ms_vulkan_program_run(ms_backend_program *program);
size_t ms_vulkan_program_workspace_bytes(const ms_backend_program *program);
void ms_vulkan_program_counts(const ms_backend_program *program, ms_program_counts *out);

/* Records the command buffers for the device's present arena and workspace (vulkan_record.c). */
ms_status ms_vulkan_record(ms_backend_program *program);
/* Frees what ms_vulkan_record made; the device must not be using it. */
void ms_vulkan_record_finish(ms_backend_program *program);

#endif
