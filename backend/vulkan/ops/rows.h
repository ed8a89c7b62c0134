/* Dispatches over rows, for shaders that include shaders/rows.glsl: a row is worked on by `groups` groups of 8
   invocations, of which each forms sums of blocks of 4096 numbers. */
#ifndef MS_BACKEND_VULKAN_OPS_ROWS_H
#define MS_BACKEND_VULKAN_OPS_ROWS_H

#include "backend/exact_constants.h"
#include "backend/vulkan/vulkan_kernel.h"

enum { MS_VULKAN_QUADS = MS_LANES / 4 /* of lanes */ };

/* Whether rows of `columns` numbers of the operand are whole vectors of four; true of an absent one. */
static inline bool ms_vulkan_is_vectors(const ms_operand *operand, int64_t columns) {
    int64_t bytes = operand->dtype == MS_DTYPE_BF16 ? 8 : 16;
    return !ms_vulkan_is_given(operand) || (columns % 4 == 0 && ms_vulkan_is_aligned(operand, bytes));
}

/* Groups for an op that takes both: 0 where each invocation does best with a row to itself, else 1. */
uint32_t ms_vulkan_row_groups(const ms_vulkan_call *call, int64_t columns, bool vectors);

/* How rows are worked on. */
typedef struct ms_vulkan_row_cut {
    int64_t columns;
    uint32_t groups; /* a row: a power of two; 1 unless a row has several blocks; 0: an invocation a row, of a multiple
                        of 32 columns, one block at most, all vectors */
    bool vectors;    /* all operands are whole vectors */
} ms_vulkan_row_cut;

/* Constants 3 to 6: columns, groups, vectors, dtype of `data`.  MS_UNSUPPORTED: more columns than two levels of
   blocks. */
ms_status ms_vulkan_rows(const ms_vulkan_call *call, const char *shader, const ms_vulkan_row_cut *cut,
                         const ms_operand *data, ms_vulkan_dispatch *out);
/* Emits a dispatch of ms_vulkan_rows over `rows` rows. */
ms_status ms_vulkan_emit_rows(const ms_vulkan_call *call, const ms_vulkan_dispatch *dispatch, int64_t rows);

#endif
