// gram: y = x x^T, or x^T x, symmetric to the bit.  Definition: backend/cpu/gram.c.  Kernels: product.cuh.
#include "backend/cuda/ops/product.cuh"

static ms_cuda_product product_of(const ms_cuda_call *call) {
    bool transpose = call->attributes->gram.transpose;
    ms_matrix_shape x = ms_shape_matrix(&call->in[0].shape);
    ms_cuda_product product;
    product.left = {&call->in[0], transpose ? x.columns : x.rows, transpose ? x.rows : x.columns, transpose,
                    x.batch == 1};
    product.right = product.left;
    product.c = &call->in[1]; // absent
    product.y = &call->out[0];
    product.batch = x.batch;
    product.alpha = 1;
    product.beta = 0;
    product.symmetric = true;
    return product;
}

extern "C" ms_status ms_cuda_gram(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    ms_cuda_product product = product_of(call);
    return ms_cuda_product_run(call, &product);
}

extern "C" size_t ms_cuda_gram_workspace(const ms_cuda_call *call) {
    ms_cuda_product product = product_of(call);
    return ms_cuda_product_workspace(call, &product);
}
