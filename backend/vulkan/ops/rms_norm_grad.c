/* rms_norm_grad on Vulkan: see shaders/rms_norm_grad.comp (dx) and rms_norm_grad_gain.comp (dgain). */
#include "backend/exact.h"
#include "backend/vulkan/ops/columns.h"
#include "backend/vulkan/ops/rows.h"

static ms_status emit_dx(const ms_vulkan_call *call, int64_t rows, int64_t columns) {
    const ms_operand *x = &call->in[0], *gain = &call->in[1], *rstd = &call->in[2], *dy = &call->in[3];
    const ms_operand *acc = &call->in[4], *dx = &call->out[0];
    bool vectors = ms_vulkan_is_vectors(x, columns) && ms_vulkan_is_vectors(gain, columns) &&
                   ms_vulkan_is_vectors(dy, columns) && ms_vulkan_is_vectors(acc, columns) &&
                   ms_vulkan_is_vectors(dx, columns);
    uint32_t groups = ms_vulkan_row_groups(call, columns, vectors);
    ms_vulkan_dispatch dispatch;
    MS_TRY(ms_vulkan_rows(call, "rms_norm_grad", &(ms_vulkan_row_cut){columns, groups, vectors}, x, &dispatch));
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_given(acc));
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_read(&dispatch, gain);
    ms_vulkan_push_read(&dispatch, rstd);
    ms_vulkan_push_read(&dispatch, dy);
    ms_vulkan_push_read(&dispatch, acc);
    ms_vulkan_push_write(&dispatch, dx);
    ms_vulkan_push_u32(&dispatch, (uint32_t)rows);
    ms_vulkan_push_f32(&dispatch, ms_reciprocal((float)columns));
    return ms_vulkan_emit_rows(call, &dispatch, rows);
}

static ms_status emit_dgain(const ms_vulkan_call *call, int64_t rows, int64_t columns) {
    const ms_operand *x = &call->in[0], *rstd = &call->in[2], *dy = &call->in[3], *dgain = &call->out[1];
    bool vectors =
        ms_vulkan_is_vectors(x, columns) && ms_vulkan_is_vectors(dy, columns) && ms_vulkan_is_vectors(dgain, columns);
    ms_vulkan_dispatch dispatch = ms_vulkan_columns("rms_norm_grad_gain", columns, vectors, x);
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_read(&dispatch, rstd);
    ms_vulkan_push_read(&dispatch, dy);
    return ms_vulkan_emit_columns(call, &dispatch, rows, columns, dgain);
}

ms_status ms_vulkan_rms_norm_grad(const ms_vulkan_call *call) {
    int64_t rows = call->in[0].shape.dim[0], columns = call->in[0].shape.dim[1];
    if (ms_vulkan_is_given(&call->out[1])) MS_TRY(emit_dgain(call, rows, columns));
    return ms_vulkan_is_given(&call->out[0]) ? emit_dx(call, rows, columns) : MS_OK;
}
