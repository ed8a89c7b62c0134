/* Sums over rows by the reduction rule, for shaders that include shaders/columns.glsl. */
#ifndef MS_BACKEND_VULKAN_COLUMNS_H
#define MS_BACKEND_VULKAN_COLUMNS_H

#include "backend/vulkan/vulkan_kernel.h"

/* A dispatch of the first level; constants 3 and 4 are the columns and the dtype of `data`. */
ms_vulkan_dispatch ms_vulkan_columns(const ms_vulkan_call *call, const char *shader, int64_t columns,
                                     const ms_vulkan_operand *data);
/* Finishes and emits it, and further levels where there are more than 4096 rows: the result, then the number of rows,
   go into the push constants, so all other addresses must be there and no numbers.  out: [columns].  Uses the workspace
   from its start. */
ms_status ms_vulkan_emit_columns(const ms_vulkan_call *call, ms_vulkan_dispatch *dispatch, int64_t rows,
                                 int64_t columns, const ms_vulkan_operand *out);

#endif
