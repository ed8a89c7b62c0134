/* scale_by_inverse_norm on Vulkan: see shaders/scale_by_inverse_norm.comp. */
#include "backend/vulkan/ops/elementwise.h"

ms_status ms_vulkan_scale_by_inverse_norm(const ms_vulkan_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    ms_matrix_shape matrix = ms_shape_matrix(&x->shape);
    int64_t size = matrix.rows * matrix.columns;
    ms_vulkan_dispatch dispatch = ms_vulkan_dispatch_of("scale_by_inverse_norm", MS_VULKAN_WIDTH, 1, 1);
    ms_vulkan_constant_u32(&dispatch, ms_vulkan_is_quads(x, size) && ms_vulkan_is_quads(y, size));
    ms_vulkan_constant_dtype(&dispatch, x);
    ms_vulkan_push_read(&dispatch, x);
    ms_vulkan_push_read(&dispatch, &call->in[1]);
    ms_vulkan_push_write(&dispatch, y);
    ms_vulkan_push_f32(&dispatch, call->attributes->inverse_norm.factor);
    ms_vulkan_push_f32(&dispatch, call->attributes->inverse_norm.epsilon);
    ms_vulkan_push_u32(&dispatch, (uint32_t)matrix.batch);
    ms_vulkan_push_u32(&dispatch, (uint32_t)size);
    /* Each invocation computes the factor again: 8 quads hide that. */
    return ms_vulkan_emit(call->encoder, &dispatch, ms_vulkan_group_count(size, 32 * MS_VULKAN_WIDTH),
                          ms_vulkan_group_count(matrix.batch, 1), 1);
}
