/* Dispatches over rows, for shaders that include shaders/rows.glsl: a row is worked on by `groups` groups of 8
   invocations, of which each forms sums of blocks of 4096 numbers. */
#ifndef MS_BACKEND_VULKAN_ROWS_H
#define MS_BACKEND_VULKAN_ROWS_H

#include "backend/vulkan/vulkan_kernel.h"

enum { MS_VULKAN_QUADS = 8, MS_VULKAN_BLOCK = 4096 };

/* Whether rows of `columns` numbers of the operand are whole vectors of four; true of an absent one. */
static inline bool ms_vulkan_is_vectors(const ms_vulkan_operand *operand, int64_t columns) {
    int64_t bytes = operand->dtype == MS_DTYPE_BF16 ? 8 : 16;
    return !ms_vulkan_is_given(operand) || (columns % 4 == 0 && ms_vulkan_is_aligned(operand, bytes));
}

/* Constants 3 to 6: columns, groups a row (a power of two; 1 unless a row has several blocks), vectors, dtype of
   `data`. MS_UNSUPPORTED: more columns than two levels of blocks. */
ms_status ms_vulkan_rows(const ms_vulkan_call *call, const char *shader, int64_t columns, uint32_t groups, bool vectors,
                         const ms_vulkan_operand *data, ms_vulkan_dispatch *out);
/* Emits a dispatch of ms_vulkan_rows over `rows` rows. */
ms_status ms_vulkan_emit_rows(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int64_t rows);

#endif
