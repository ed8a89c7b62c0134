/* gram on Vulkan: see product.h. */
#include "backend/vulkan/ops/product.h"

ms_status ms_vulkan_gram(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    ms_matrix_shape x = ms_shape_matrix(&call->in[0].shape);
    bool transpose = call->attributes->gram.transpose;
    ms_vulkan_operand absent = ms_vulkan_absent();
    ms_vulkan_factor factor = {.operand = &call->in[0],
                               .n_rows = transpose ? x.columns : x.rows,
                               .depth = transpose ? x.rows : x.columns,
                               .transposed = transpose,
                               .shared = x.batch == 1};
    ms_vulkan_product product = {.left = factor,
                                 .right = factor,
                                 .c = &absent,
                                 .y = &call->out[0],
                                 .batch = x.batch,
                                 .alpha = 1,
                                 .symmetric = true};
    return ms_vulkan_encode_product(call, &product);
}
