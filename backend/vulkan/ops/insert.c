/* insert on Vulkan: y [batch,R,C] = base with rows [begin, begin + count) replaced by x [batch,count,C]; of a vector:
   elements.  In place (y is base) only x is moved. */
#include "backend/vulkan/ops/copy.h"

ms_status ms_vulkan_insert(const ms_vulkan_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!ms_vulkan_is_given(y)) return MS_OK;
    const ms_slice_attributes *slice = &call->attributes->slice;
    ms_matrix_shape matrix = ms_shape_matrix(&base->shape);
    bool is_vector = base->shape.rank == 1;
    int64_t row_bytes = (is_vector ? 1 : matrix.columns) * (int64_t)ms_dtype_size(base->dtype);
    int64_t rows = is_vector ? matrix.columns : matrix.rows;
    MS_TRY(ms_vulkan_copy_all(call, base, y));
    ms_vulkan_strided_copy copy = {.from = x, .to = y, .n_spans = matrix.batch, .span_bytes = slice->count * row_bytes};
    copy.from_stride_bytes = copy.span_bytes;
    copy.to_first_bytes = slice->begin * row_bytes;
    copy.to_stride_bytes = rows * row_bytes;
    return ms_vulkan_copy(call, &copy);
}
