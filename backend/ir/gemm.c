#include "backend/ir/gemm.h"

static ms_factor factor_of(const ms_shape *shape, bool transposed) {
    ms_matrix_shape matrix = ms_shape_matrix(shape);
    ms_factor factor = {matrix.rows, matrix.columns, transposed, matrix.batch == 1};
    if (transposed) {
        factor.n_rows = matrix.columns;
        factor.depth = matrix.rows;
    }
    return factor;
}

ms_gemm ms_gemm_of(ms_op op, const ms_attributes *attributes, const ms_shape *left, const ms_shape *right) {
    ms_gemm gemm = {.batch = 0};
    if (op == MS_OP_MATMUL) {
        int64_t batch_left = ms_shape_matrix(left).batch, batch_right = ms_shape_matrix(right).batch;
        gemm.left = factor_of(left, attributes->matmul.transpose_a);
        gemm.right = factor_of(right, !attributes->matmul.transpose_b);
        gemm.batch = batch_left > batch_right ? batch_left : batch_right;
        gemm.alpha = attributes->matmul.alpha;
        gemm.beta = attributes->matmul.beta;
    } else if (op == MS_OP_GRAM) {
        gemm.left = gemm.right = factor_of(left, attributes->gram.transpose);
        gemm.batch = ms_shape_matrix(left).batch;
        gemm.alpha = 1;
        gemm.symmetric = true;
    }
    return gemm;
}
