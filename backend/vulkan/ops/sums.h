/* Sums of parts of a tensor by the reduction rule, for shaders that include shaders/sum_blocks.glsl. */
#ifndef MS_BACKEND_VULKAN_OPS_SUMS_H
#define MS_BACKEND_VULKAN_OPS_SUMS_H

#include "backend/vulkan/vulkan_kernel.h"

/* A tensor of matrices, each cut into the same parts. */
typedef struct ms_vulkan_parts {
    int64_t matrices, n_parts;
    int64_t counts[MS_MAX_ROW_GROUPS]; /* numbers of each part, 0 allowed */
} ms_vulkan_parts;

/* y [matrices, parts] = the sums of the shader's terms of x.  Uses the workspace. */
ms_status ms_vulkan_sums(const ms_vulkan_call *call, const char *shader, const ms_vulkan_parts *parts,
                         const ms_operand *x, const ms_operand *y);

#endif
