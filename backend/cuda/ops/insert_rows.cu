// insert_rows: y [R,C] = base with row index[n] replaced by row n of x [N,C]; an index outside of [0, R) leaves its row out.  Any
// dtype.  In place (y is base) only x is moved.  Definition: backend/cpu/insert_rows.c.
#include "backend/cuda/ops/copy.cuh"

// In units of U.
template <class U> struct insert_rows_op {
    enum { WIDTH = 1 };
    U *y;
    const U *x;
    const int *index;
    unsigned int columns, rows;

    template <int W> __device__ void run(unsigned int i) const {
        unsigned int n = i / columns, id = (unsigned int)index[n]; // a negative one is above all
        if (id < rows) y[id * columns + (i - n * columns)] = x[i];
    }
};

template <class U> static ms_status run(const ms_cuda_call *call, int64_t row_bytes) {
    const ms_operand *x = &call->in[1];
    insert_rows_op<U> op = {(U *)call->out[0].data, (const U *)x->data, (const int *)call->in[2].data,
                            (unsigned int)(row_bytes / (int64_t)sizeof(U)), (unsigned int)call->in[0].shape.dim[0]};
    return ms_launch_elementwise<1>(call, op, x->shape.dim[0] * (int64_t)op.columns);
}

extern "C" ms_status ms_cuda_insert_rows(const ms_cuda_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!y->data) return MS_OK;
    MS_TRY(ms_copy_all(call, base, y->data));
    int64_t row_bytes = base->shape.dim[1] * (int64_t)ms_dtype_size(base->dtype);
    uint64_t alignment =
        reinterpret_cast<uintptr_t>(y->data) | reinterpret_cast<uintptr_t>(x->data) | (uint64_t)row_bytes;
    if (alignment % 16 == 0) return run<uint4>(call, row_bytes);
    if (alignment % 4 == 0) return run<unsigned int>(call, row_bytes);
    return run<unsigned short>(call, row_bytes);
}

extern "C" size_t ms_cuda_insert_rows_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
