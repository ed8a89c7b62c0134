#include "backend/ir/product.h"

static ms_factor factor_of(const ms_shape *shape, bool transposed) {
    ms_matrix_shape matrix = ms_shape_matrix(shape);
    ms_factor factor = {matrix.rows, matrix.columns, transposed, matrix.batch == 1};
    if (transposed) {
        factor.n_rows = matrix.columns;
        factor.depth = matrix.rows;
    }
    return factor;
}

ms_matrix_product ms_matrix_product_of(ms_op op, const ms_attributes *attributes, const ms_shape *left,
                                       const ms_shape *right) {
    ms_matrix_product product = {.batch = 0};
    if (op == MS_OP_MATMUL) {
        int64_t batch_left = ms_shape_matrix(left).batch, batch_right = ms_shape_matrix(right).batch;
        product.left = factor_of(left, attributes->matmul.transpose_a);
        product.right = factor_of(right, !attributes->matmul.transpose_b);
        product.batch = batch_left > batch_right ? batch_left : batch_right;
        product.alpha = attributes->matmul.alpha;
        product.beta = attributes->matmul.beta;
    } else if (op == MS_OP_GRAM) {
        product.left = product.right = factor_of(left, attributes->gram.transpose);
        product.batch = ms_shape_matrix(left).batch;
        product.alpha = 1;
        product.symmetric = true;
    }
    return product;
}
