/* The list of dispatches that encoders make, and that vulkan_program.c records. */
#ifndef MS_BACKEND_VULKAN_VULKAN_ENCODER_H
#define MS_BACKEND_VULKAN_VULKAN_ENCODER_H

#include "backend/vulkan/vulkan_kernel.h"

/* An operand as recording needs it. */
typedef struct ms_vulkan_access {
    ms_region region;
    int32_t variable;
    int64_t offset_bytes, size_bytes;
    bool read, write;
} ms_vulkan_access;

typedef struct ms_vulkan_step {
    int shader; /* row of the shader table */
    int n_constants;
    uint32_t constants[MS_VULKAN_MAX_CONSTANTS];
    int n_accesses;
    ms_vulkan_access accesses[MS_VULKAN_MAX_OPERANDS];
    int n_numbers;
    uint32_t numbers[MS_VULKAN_PUSH_BYTES / 4]; /* after the addresses */
    uint32_t groups[3];
    int32_t node;
    int64_t fault_limit;
    double flops; /* 0: not estimated */
} ms_vulkan_step;

struct ms_vulkan_encoder {
    const ms_vulkan_limits *limits;
    ms_vulkan_step *steps; /* owned */
    int n_steps, capacity;
    int32_t node;        /* being encoded */
    uint32_t first_node; /* the number of node 0 on the device */
    size_t workspace_bytes;
};

#endif
