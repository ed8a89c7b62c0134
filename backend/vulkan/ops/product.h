/* What matmul and gram share on Vulkan: which kernel makes a product of matrices, and whether its depth is split. */
#ifndef MS_BACKEND_VULKAN_OPS_PRODUCT_H
#define MS_BACKEND_VULKAN_OPS_PRODUCT_H

#include "backend/vulkan/vulkan_kernel.h"

/* A factor as rows (the index that survives) by depth (the summed one); the rows of the right factor are y's columns.
 */
typedef struct ms_vulkan_factor {
    const ms_vulkan_operand *operand;
    int64_t n_rows, depth;
    bool transposed; /* stored [depth, rows], so that rows are neighbours; else [rows, depth] */
    bool shared;     /* one matrix for the whole batch */
} ms_vulkan_factor;

typedef struct ms_vulkan_product {
    ms_vulkan_factor left, right;
    const ms_vulkan_operand *c, *y; /* y [batch, left.n_rows, right.n_rows]; c likewise or absent, may be y's place */
    int64_t batch;
    float alpha, beta;
    bool symmetric; /* both factors are one: the lower triangle of y is the mirror of the upper */
} ms_vulkan_product;

/* Encodes y = alpha * left right^T + beta * c as one dispatch, or as two through workspace of at most 64 MiB when the
   result is too small to keep the device busy and its depth is more than 512.  MS_OUT_OF_MEMORY as ms_vulkan_emit. */
ms_status ms_vulkan_encode_product(const ms_vulkan_call *call, const ms_vulkan_product *product);

#endif
