/* rms_norm on Vulkan: see shaders/rms_norm.comp. */
#include "backend/exact.h"
#include "backend/vulkan/ops/rows.h"

ms_status ms_vulkan_rms_norm(const ms_vulkan_call *call) {
    const ms_operand *x = &call->in[0], *gain = &call->in[1], *y = &call->out[0], *rstd = &call->out[1];
    int64_t rows = x->shape.dim[0], columns = x->shape.dim[1];
    if (!ms_vulkan_is_given(y) && !ms_vulkan_is_given(rstd)) return MS_OK;
    bool vectors =
        ms_vulkan_is_vectors(x, columns) && ms_vulkan_is_vectors(gain, columns) && ms_vulkan_is_vectors(y, columns);
    uint32_t groups = ms_vulkan_row_groups(call, columns, vectors);
    ms_vulkan_dispatch dispatch;
    MS_TRY(ms_vulkan_rows(call, "rms_norm", &(ms_vulkan_row_cut){columns, groups, vectors}, x, &dispatch));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(y));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(rstd));
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_read(&dispatch, gain);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_write(&dispatch, rstd);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, ms_reciprocal((float)columns));
    ms_vulkan_push_f32(&dispatch, call->attributes->norm.epsilon);
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}
