/* insert_rows on Vulkan: see shaders/insert_rows.comp. */
#include "backend/vulkan/ops/copy.h"
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_insert_rows(const ms_vulkan_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    MS_TRY(ms_vulkan_copy_all(call, base, y));
    int64_t row_bytes = base->shape.dim[1] * (int64_t)ms_dtype_size(base->dtype), n_rows = x->shape.dim[0];
    int64_t unit = ms_vulkan_unit(y, row_bytes, ms_vulkan_unit(x, row_bytes, 16)), size = row_bytes / unit;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("insert_rows", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)unit);
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_read(&dispatch, &call->in[2]);
    ms_vulkan_push_update(&dispatch, y);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_rows);
    ms_vulkan_push_u32(&dispatch, (uint32_t)size);
    ms_vulkan_push_u32(&dispatch, (uint32_t)base->shape.dim[0]);
    return ms_vulkan_emit(call->encoder, &dispatch, ms_vulkan_group_count(size, MS_VULKAN_WIDTH),
                          ms_vulkan_group_count(n_rows, 1), 1);
}
