/* GEMM (general matrix-matrix multiplication) of stacks of matrices: the sizes of matmul and gram, found from shapes
   and attributes in this one place. */
#ifndef MS_BACKEND_IR_GEMM_H
#define MS_BACKEND_IR_GEMM_H

#include "backend/ir/op.h"

/* A factor as rows (the index that survives) by depth (the summed one); the rows of the right factor are the columns of
   the result. */
typedef struct ms_factor {
    int64_t n_rows, depth;
    bool transposed; /* stored [depth, rows], so that rows are neighbours; else [rows, depth] */
    bool shared;     /* one matrix for the whole batch */
} ms_factor;

/* y = alpha * left right^T + beta * c, y and c [batch, left.n_rows, right.n_rows]. */
typedef struct ms_gemm {
    ms_factor left, right; /* of the same depth */
    int64_t batch;         /* 0: not a matmul */
    float alpha, beta;
    bool symmetric; /* both factors are one (gram): the lower triangle of y is the mirror of the upper */
} ms_gemm;

/* The GEMM that matmul or gram is; all zero for any other op.  shapes: of the first two inputs, the second of matmul
   alone.  Of shapes that do not fit each factor has its own depth (ms_op_infer compares them).  Pure. */
ms_gemm ms_gemm_of(ms_op op, const ms_attributes *attributes, const ms_shape *left, const ms_shape *right);

/* Elements from one stored row of a factor to the next: the length of what is adjacent in memory. */
static inline int64_t ms_factor_stride(const ms_factor *factor) {
    return factor->transposed ? factor->n_rows : factor->depth;
}

/* Elements from one matrix of the batch to the next. */
static inline int64_t ms_factor_step(const ms_factor *factor) {
    return factor->shared ? 0 : factor->n_rows * factor->depth;
}

#endif
