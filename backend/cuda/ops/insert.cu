// insert: y [batch,R,C] = base with rows [begin, begin + count) replaced by x [batch,count,C]; of a vector: elements.
// Any dtype. In place (y is base) only x is moved.  Definition: backend/cpu/insert.c.
#include "backend/cuda/ops/copy.cuh"

extern "C" ms_status ms_cuda_insert(const ms_cuda_call *call) {
    const ms_operand *base = &call->in[0], *x = &call->in[1], *y = &call->out[0];
    if (!y->data) return MS_OK;
    MS_TRY(ms_copy_all(call, base, y->data));
    ms_part part = ms_part_of(base, &call->attributes->slice);
    ms_copy copy = {
        (char *)y->data + part.begin, (const char *)x->data, part.n_spans, part.span, part.stride, part.span};
    return ms_copy_run(call, &copy);
}

extern "C" size_t ms_cuda_insert_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
