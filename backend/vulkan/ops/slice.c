/* slice on Vulkan: y [batch,count,C] = rows [begin, begin + count) of x [batch,R,C]; of a vector: elements. */
#include "backend/vulkan/ops/copy.h"

ms_status ms_vulkan_slice(const ms_vulkan_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    const ms_slice_attributes *slice = &call->attributes->slice;
    ms_matrix_shape matrix = ms_shape_matrix(&x->shape);
    bool is_vector = x->shape.rank == 1;
    int64_t row_bytes = (is_vector ? 1 : matrix.columns) * (int64_t)ms_dtype_size(x->dtype);
    int64_t rows = is_vector ? matrix.columns : matrix.rows;
    ms_vulkan_strided_copy copy = {.from = x, .to = y, .n_spans = matrix.batch, .span_bytes = slice->count * row_bytes};
    copy.from_first_bytes = slice->begin * row_bytes;
    copy.from_stride_bytes = rows * row_bytes;
    copy.to_stride_bytes = copy.span_bytes;
    return ms_vulkan_copy(call, &copy);
}
