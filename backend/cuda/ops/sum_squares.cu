// sum_squares: sums of squares by the reduction rule: y [1] of the whole tensor, or y [batch,groups], one for each
// group of group_rows rows of each matrix of a stack (a group of no rows gives 0).  Definition:
// backend/cpu/sum_squares.c.
#include "backend/cuda/ops/sums.cuh"

static ms_parts parts_of(const ms_cuda_call *call) {
    const ms_sum_squares_attributes *attributes = &call->attributes->sum_squares;
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0].shape);
    ms_parts parts = {1, 0, {0}, {0}};
    if (attributes->n_groups == 0) {
        ms_parts_add(&parts, call->in[0].count);
        return parts;
    }
    parts.n_matrices = (unsigned int)matrix.batch;
    for (int p = 0; p < attributes->n_groups; p++) ms_parts_add(&parts, attributes->group_rows[p] * matrix.columns);
    return parts;
}

template <class T> static ms_status run(const ms_cuda_call *call) {
    ms_parts parts = parts_of(call);
    return ms_run_sums<true, T>(call, &parts);
}

extern "C" ms_status ms_cuda_sum_squares(const ms_cuda_call *call) {
    if (!call->out[0].data) return MS_OK;
    return MS_BY_DTYPE(call->in[0].dtype, run, call);
}

extern "C" size_t ms_cuda_sum_squares_workspace(const ms_cuda_call *call) {
    ms_parts parts = parts_of(call);
    return ms_sums_workspace(&parts);
}
