// Copies of spans of bytes, for slice, insert, reshape and assign.
#ifndef MS_BACKEND_CUDA_COPY_CUH
#define MS_BACKEND_CUDA_COPY_CUH

#include "backend/cuda/ops/elementwise.cuh"

// n_spans spans of span_bytes each; source and target advance by their strides from span to span.
struct ms_copy {
    char *to;
    const char *from;
    int64_t n_spans, span_bytes, to_stride, from_stride; // bytes
};

// In units of U.
template <class U> struct ms_copy_op {
    enum { WIDTH = 1 };
    U *to;
    const U *from;
    unsigned int span, to_stride, from_stride;

    template <int W> __device__ void run(unsigned int i) const {
        unsigned int i_span = i / span, rest = i - i_span * span;
        to[i_span * to_stride + rest] = from[i_span * from_stride + rest];
    }
};

template <class U> static ms_status ms_copy_units(const ms_cuda_call *call, const ms_copy *copy) {
    const int64_t unit = (int64_t)sizeof(U);
    ms_copy_op<U> op = {(U *)copy->to, (const U *)copy->from, (unsigned int)(copy->span_bytes / unit),
                        (unsigned int)(copy->to_stride / unit), (unsigned int)(copy->from_stride / unit)};
    return ms_launch_elementwise<1>(call, op, copy->n_spans * copy->span_bytes / unit);
}

// Does nothing when source and target are the same storage.  Operands have fewer than 2^31 elements, so fewer than 2^31
// units.
static inline ms_status ms_copy_run(const ms_cuda_call *call, const ms_copy *copy) {
    if (copy->to == copy->from) return MS_OK;
    uint64_t alignment = reinterpret_cast<uintptr_t>(copy->to) | reinterpret_cast<uintptr_t>(copy->from) |
                         (uint64_t)(copy->span_bytes | copy->to_stride | copy->from_stride);
    if (alignment % 16 == 0) return ms_copy_units<uint4>(call, copy);
    if (alignment % 4 == 0) return ms_copy_units<unsigned int>(call, copy);
    return ms_copy_units<unsigned short>(call, copy);
}

static inline ms_status ms_copy_all(const ms_cuda_call *call, const ms_operand *from, void *to) {
    int64_t bytes = from->count * (int64_t)ms_dtype_size(from->dtype);
    ms_copy copy = {(char *)to, (const char *)from->data, 1, bytes, bytes, bytes};
    return ms_copy_run(call, &copy);
}

// The rows of a slice: a part of `whole`, a stack of matrices (of a vector: of its elements), as bytes.
struct ms_part {
    int64_t n_spans, begin, span,
        stride; // matrices; bytes: the part's first, its size, from matrix to matrix of `whole`
};

static inline ms_part ms_part_of(const ms_operand *whole, const ms_slice_attributes *slice) {
    ms_matrix_shape matrix = ms_shape_matrix(&whole->shape);
    bool is_vector = whole->shape.rank == 1;
    int64_t row_bytes = (is_vector ? 1 : matrix.columns) * (int64_t)ms_dtype_size(whole->dtype);
    // One span of a vector: its stride is not used, and is a multiple of anything.
    return {matrix.batch, slice->begin * row_bytes, slice->count * row_bytes, is_vector ? 0 : matrix.rows * row_bytes};
}

#endif
