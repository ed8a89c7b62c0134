/* Sums over rows by the reduction rule, for shaders that include shaders/columns.glsl. */
#ifndef MS_BACKEND_VULKAN_OPS_COLUMNS_H
#define MS_BACKEND_VULKAN_OPS_COLUMNS_H

#include "backend/vulkan/ops/rows.h"

/* A dispatch of the first level.  Constants 3 to 5: columns, vectors (ms_vulkan_is_vectors of all operands), dtype of
   `data`. */
ms_vulkan_dispatch ms_vulkan_columns(const char *shader, int64_t columns, bool vectors, const ms_operand *data);
/* Finishes and emits it, and further levels where there are more than 4096 rows: the result, then the number of rows,
   go into the push constants, so all other addresses must be there and no numbers.  out: [columns].  Uses the workspace
   from its start. */
ms_status ms_vulkan_emit_columns(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch, int64_t rows,
                                 int64_t columns, const ms_operand *out);

#endif
