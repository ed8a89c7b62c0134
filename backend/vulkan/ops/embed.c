/* embed on Vulkan: see shaders/embed.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_embed(const ms_vulkan_call *call) {
    const ms_operand *table = &call->in[0], *index = &call->in[1], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    int64_t vocabulary = table->shape.dim[0], columns = table->shape.dim[1], n_tokens = index->count;
    uint32_t rows;
    ms_vulkan_dispatch dispatch = ms_vulkan_by_rows("embed", columns, &rows);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_quads(table, columns) && ms_vulkan_is_quads(y, columns));
    ms_vulkan_push_read(&dispatch, table);
    ms_vulkan_push_read(&dispatch, index);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_fault(&dispatch, vocabulary);
    ms_vulkan_push_f32(&dispatch, call->attributes->embed.scale);
    ms_vulkan_push_u32(&dispatch, (uint32_t)n_tokens);
    ms_vulkan_push_u32(&dispatch, (uint32_t)columns);
    ms_vulkan_push_u32(&dispatch, (uint32_t)vocabulary);
    return ms_vulkan_emit_linear(call->encoder, &dispatch, (n_tokens + rows - 1) / rows);
}
