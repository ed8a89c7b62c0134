/* Moving data of any type on Vulkan: see shaders/copy.comp. */
#ifndef MS_BACKEND_VULKAN_OPS_COPY_H
#define MS_BACKEND_VULKAN_OPS_COPY_H

#include "backend/vulkan/vulkan_kernel.h"

/* n_spans spans of span_bytes each; source and target start at their first bytes and advance by their strides from
   span to span. */
typedef struct ms_vulkan_strided_copy {
    const ms_operand *from, *to;
    int64_t n_spans, span_bytes;
    int64_t from_first_bytes, from_stride_bytes, to_first_bytes, to_stride_bytes;
} ms_vulkan_strided_copy;

/* Emits the copy, in the widest units that everything is a multiple of. */
ms_status ms_vulkan_copy(const ms_vulkan_call *call, const ms_vulkan_strided_copy *copy);
/* The whole operand; nothing when both are the same place. */
ms_status ms_vulkan_copy_all(const ms_vulkan_call *call, const ms_operand *from, const ms_operand *to);

/* The widest of 16, 4 and 2 bytes that `bytes` and the operand's address are multiples of, at most `limit`. */
int64_t ms_vulkan_unit(const ms_operand *operand, int64_t bytes, int64_t limit);

#endif
