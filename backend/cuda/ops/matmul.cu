// matmul: y = alpha * op(a) op(b) + beta * c.  Definition: backend/cpu/matmul.c.  Kernels: product.cuh.
#include "backend/cuda/ops/product.cuh"

static ms_cuda_product product_of(const ms_cuda_call *call) {
    const ms_matmul_attributes *attributes = &call->attributes->matmul;
    ms_matrix_shape a = ms_shape_matrix(&call->in[0].shape), b = ms_shape_matrix(&call->in[1].shape);
    ms_cuda_product product;
    product.left = {&call->in[0], attributes->transpose_a ? a.columns : a.rows,
                    attributes->transpose_a ? a.rows : a.columns, attributes->transpose_a, a.batch == 1};
    product.right = {&call->in[1], attributes->transpose_b ? b.rows : b.columns,
                     attributes->transpose_b ? b.columns : b.rows, !attributes->transpose_b, b.batch == 1};
    product.c = &call->in[2];
    product.y = &call->out[0];
    product.batch = ms_shape_matrix(&call->out[0].shape).batch;
    product.alpha = attributes->alpha;
    product.beta = attributes->beta;
    product.symmetric = false;
    return product;
}

extern "C" ms_status ms_cuda_matmul(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    ms_cuda_product product = product_of(call);
    return ms_cuda_product_run(call, &product);
}

extern "C" size_t ms_cuda_matmul_workspace(const ms_cuda_call *call) {
    ms_cuda_product product = product_of(call);
    return ms_cuda_product_workspace(call, &product);
}
