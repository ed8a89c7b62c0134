/* insert_rows: y [R,C] = base with row index[n] replaced by row n of x [N,C]; index i32 [N].  An index outside of [0,
   R) leaves its row out; an index occurs once (which row stays is not defined otherwise).  Any dtype.  In place (y is
   base) only x is moved. */
#include "backend/cpu/share.h"

ms_status MS_KERNEL(insert_rows)(const ms_cpu_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!ms_is_given(y)) return MS_OK;
    const int32_t *index = call->in[2].data;
    size_t row_bytes = (size_t)base->shape.dim[1] * ms_element_bytes(base->dtype);
    ms_copy_all(call, base, y->data);
    for (int64_t n = 0; n < x->shape.dim[0]; n++)
        if (index[n] >= 0 && index[n] < base->shape.dim[0])
            memcpy((char *)y->data + (size_t)index[n] * row_bytes, (const char *)x->data + (size_t)n * row_bytes,
                   row_bytes);
    return MS_OK;
}

size_t MS_WORKSPACE(insert_rows)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
