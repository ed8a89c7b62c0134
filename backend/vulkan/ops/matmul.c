/* matmul on Vulkan: see product.h. */
#include "backend/vulkan/ops/product.h"

ms_status ms_vulkan_matmul(const ms_vulkan_call *call) {
    if (!ms_vulkan_is_given(&call->out[0])) return MS_OK;
    const ms_matmul_attributes *attributes = &call->attributes->matmul;
    ms_matrix_shape a = ms_shape_matrix(&call->in[0].shape), b = ms_shape_matrix(&call->in[1].shape);
    ms_vulkan_product product = {
        .left = {.operand = &call->in[0],
                 .n_rows = attributes->transpose_a ? a.columns : a.rows,
                 .depth = attributes->transpose_a ? a.rows : a.columns,
                 .transposed = attributes->transpose_a,
                 .shared = a.batch == 1},
        .right = {.operand = &call->in[1],
                  .n_rows = attributes->transpose_b ? b.rows : b.columns,
                  .depth = attributes->transpose_b ? b.columns : b.rows,
                  .transposed = !attributes->transpose_b,
                  .shared = b.batch == 1},
        .c = &call->in[2],
        .y = &call->out[0],
        .batch = ms_shape_matrix(&call->out[0].shape).batch,
        .alpha = attributes->alpha,
        .beta = attributes->beta,
    };
    return ms_vulkan_encode_product(call, &product);
}
