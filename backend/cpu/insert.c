/* insert: y [batch,R,C] = base with rows [begin, begin + count) replaced by x [batch,count,C]; of a vector: elements.
   Any dtype.  In place (y is base) only x is moved. */
#include "backend/cpu/share.h"

ms_status MS_KERNEL(insert)(const ms_cpu_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!ms_is_given(y)) return MS_OK;
    const ms_slice_attributes *slice = &call->attributes->slice;
    ms_matrix_shape matrix = ms_shape_matrix(&base->shape);
    bool is_vector = base->shape.rank == 1;
    size_t row_bytes = (size_t)(is_vector ? 1 : matrix.columns) * ms_element_bytes(base->dtype);
    ms_copy_all(call, base, y->data);
    ms_copy copy = {(char *)y->data + (size_t)slice->begin * row_bytes, x->data, matrix.batch, 0, 0, 0};
    copy.span_bytes = copy.from_stride = (size_t)slice->count * row_bytes;
    copy.to_stride = (size_t)matrix.rows * row_bytes; /* unused for a vector: one span */
    ms_copy_run(call, &copy);
    return MS_OK;
}

size_t MS_WORKSPACE(insert)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
