/* What encoders choose by, and what every shader can have. */
#ifndef MS_BACKEND_VULKAN_VULKAN_LIMITS_H
#define MS_BACKEND_VULKAN_VULKAN_LIMITS_H

#include "backend/backend.h"

enum {
    MS_VULKAN_FEWEST_INVOCATIONS = 128, /* of a workgroup that a Vulkan device must take */
    MS_VULKAN_PUSH_BYTES = 128,
    MS_VULKAN_MAX_CONSTANTS = 24
};

/* What an encoder may choose by. */
typedef struct ms_vulkan_limits {
    ms_numerics numerics; /* MS_NUMERICS_EXACT or MS_NUMERICS_FAST */
    bool is_cpu;          /* a software driver: lanes are SIMD lanes of a processor, shared memory is ordinary memory */
    bool storage16;       /* 16-bit storage: shaders load and store bf16 directly; else packed in 32-bit words */
    uint32_t max_invocations; /* per workgroup, at least MS_VULKAN_FEWEST_INVOCATIONS (SwiftShader: 256) */
    uint32_t busy_workgroups; /* that many keep the device busy, at least 1 */
    double part_flops;        /* work of a submission at most, so that none runs into a driver's watchdog */
    double part_bytes;        /* and what its nodes read and write */
    uint32_t shared_bytes;    /* shared memory of a workgroup, at least 16 KiB */
    uint32_t subgroup_size;
    bool subgroup_exchange; /* subgroupShuffle and subgroupBroadcast in compute shaders */
} ms_vulkan_limits;

#endif
