/* sum_squares on Vulkan: see shaders/sum_squares.comp. */
#include "backend/vulkan/ops/sums.h"

ms_status ms_vulkan_sum_squares(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    const ms_sum_squares_attributes *attributes = &call->attributes->sum_squares;
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0].shape);
    ms_vulkan_parts parts = {.matrices = 1, .n_parts = 1, .counts = {call->in[0].count}};
    if (attributes->n_groups > 0) {
        parts.matrices = matrix.batch;
        parts.n_parts = attributes->n_groups;
        for (int p = 0; p < attributes->n_groups; p++) parts.counts[p] = attributes->group_rows[p] * matrix.columns;
    }
    return ms_vulkan_sums(call, "sum_squares", &parts, &call->in[0], &call->out[0]);
}
