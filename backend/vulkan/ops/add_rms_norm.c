/* add_rms_norm on Vulkan: see shaders/add_rms_norm.comp. */
#include "backend/exact.h"
#include "backend/vulkan/ops/rows.h"

ms_status ms_vulkan_add_rms_norm(const ms_vulkan_call *call) {
    int64_t rows = call->in[0].shape.dim[0], columns = call->in[0].shape.dim[1];
    bool vectors = true, wanted = false;
    for (int i = 0; i < 3; i++) vectors = vectors && ms_vulkan_is_vectors(&call->in[i], columns);
    for (int i = 0; i < 2; i++) vectors = vectors && ms_vulkan_is_vectors(&call->out[i], columns);
    for (int i = 0; i < 3; i++) wanted = wanted || ms_vulkan_is_given(&call->out[i]);
    if (!wanted) return MS_OK;
    uint32_t groups = ms_vulkan_row_groups(call, columns, vectors);
    ms_vulkan_dispatch dispatch;
    MS_TRY(
        ms_vulkan_rows(call, "add_rms_norm", &(ms_vulkan_row_cut){columns, groups, vectors}, &call->in[0], &dispatch));
    for (int i = 0; i < 3; i++) ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(&call->out[i]));
    for (int i = 0; i < 3; i++) ms_vulkan_push_read(&dispatch, &call->in[i]);
    for (int i = 0; i < 3; i++) ms_vulkan_push_write(&dispatch, &call->out[i]);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, ms_reciprocal((float)columns));
    ms_vulkan_push_f32(&dispatch, call->attributes->norm.epsilon);
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}
