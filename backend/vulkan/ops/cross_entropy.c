/* cross_entropy on Vulkan: see shaders/cross_entropy.comp. */
#include "backend/vulkan/ops/rows.h"

enum { MAX_GROUPS = 16 }; /* 128 invocations */

ms_status ms_vulkan_cross_entropy(const ms_vulkan_call *call) {
    const ms_operand *logits = &call->in[0], *losses = &call->out[0], *dlogits = &call->out[1];
    int64_t rows = logits->shape.dim[0], columns = logits->shape.dim[1];
    uint32_t groups = 1;
    while (groups < MAX_GROUPS && groups * MS_REDUCE_BLOCK < columns) groups *= 2;
    bool vectors = ms_vulkan_is_vectors(logits, columns) && ms_vulkan_is_vectors(dlogits, columns);
    ms_vulkan_dispatch dispatch;
    MS_TRY(ms_vulkan_rows(call, "cross_entropy", &(ms_vulkan_row_cut){columns, groups, vectors}, logits, &dispatch));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(losses));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(dlogits));
    ms_vulkan_constant_dtype(&dispatch, dlogits);
    ms_vulkan_push_read(&dispatch, logits);
    ms_vulkan_push_read(&dispatch, &call->in[1]);
    ms_vulkan_push_write(&dispatch, losses);
    ms_vulkan_push_write(&dispatch, dlogits);
    ms_vulkan_push_fault(&dispatch, columns);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, call->attributes->cross_entropy.scale);
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}
