/* slice: y [batch,count,C] = rows [begin, begin + count) of x [batch,R,C]; of a vector: elements.  Any dtype. */
#include "backend/cpu/share.h"

ms_status MS_KERNEL(slice)(const ms_cpu_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!ms_is_given(y)) return MS_OK;
    const ms_slice_attributes *slice = &call->attributes->slice;
    ms_matrix_shape matrix = ms_shape_matrix(&x->shape);
    bool is_vector = x->shape.rank == 1;
    size_t row_bytes = (size_t)(is_vector ? 1 : matrix.columns) * ms_element_bytes(x->dtype);
    ms_copy copy = {y->data, (const char *)x->data + (size_t)slice->begin * row_bytes, matrix.batch, 0, 0, 0};
    copy.span_bytes = copy.to_stride = (size_t)slice->count * row_bytes;
    copy.from_stride = (size_t)matrix.rows * row_bytes; /* unused for a vector: one span */
    ms_copy_run(call, &copy);
    return MS_OK;
}

size_t MS_WORKSPACE(slice)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
