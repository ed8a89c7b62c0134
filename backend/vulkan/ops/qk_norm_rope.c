/* qk_norm_rope on Vulkan: see shaders/qk_norm_rope.comp. */
#include "backend/exact.h"
#include "backend/vulkan/ops/rows.h"

ms_status ms_vulkan_qk_norm_rope(const ms_vulkan_call *call) {
    const ms_rope_attributes *rope = &call->attributes->rope;
    const ms_operand *x = &call->in[0], *y = &call->out[0], *rstd = &call->out[1];
    int64_t rows = x->shape.dim[0] * rope->heads, size = rope->head_size;
    if (!ms_vulkan_is_given(y) && !ms_vulkan_is_given(rstd)) return MS_OK;
    bool vectors = size % 8 == 0 && ms_vulkan_is_vectors(x, size) && ms_vulkan_is_vectors(&call->in[1], size) &&
                   ms_vulkan_is_vectors(&call->in[2], size) && ms_vulkan_is_vectors(y, size);
    uint32_t groups = ms_vulkan_row_groups(call, size, vectors);
    ms_vulkan_dispatch dispatch;
    MS_TRY(ms_vulkan_rows(call, "qk_norm_rope", &(ms_vulkan_row_cut){size, groups, vectors}, x, &dispatch));
    ms_vulkan_constant_u32(&dispatch, rope->normalise);
    ms_vulkan_constant_u32(&dispatch, rope->interleaved);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(y));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(rstd));
    ms_vulkan_constant_u32(&dispatch, (uint32_t)rope->heads);
    ms_vulkan_constant_u32(&dispatch, (uint32_t)rope->sequence);
    for (int i = 0; i < 3; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_write(&dispatch, rstd);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, ms_reciprocal((float)size));
    ms_vulkan_push_f32(&dispatch, rope->epsilon);
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}
