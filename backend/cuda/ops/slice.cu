// slice: y [batch,count,C] = rows [begin, begin + count) of x [batch,R,C]; of a vector: elements.  Any dtype.
// Definition: backend/cpu/slice.c.
#include "backend/cuda/ops/copy.cuh"

extern "C" ms_status ms_cuda_slice(const ms_cuda_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!y->data) return MS_OK;
    ms_part part = ms_part_of(x, &call->attributes->slice);
    ms_copy copy = {(char *)y->data, (const char *)x->data + part.begin, part.n_spans, part.span, part.span,
                    part.stride};
    return ms_copy_run(call, &copy);
}

extern "C" size_t ms_cuda_slice_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
