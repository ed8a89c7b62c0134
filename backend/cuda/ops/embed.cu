// embed: y[n,:] = scale table[index[n],:].  An index outside of [0, V) is reported, and its row is left as it is.
// Definition: backend/cpu/embed.c.
#include "backend/cuda/ops/elementwise.cuh"

struct embed_op {
    enum { WIDTH = MS_PACK_WIDTH(float) };
    const float *table;
    const int *index;
    float *y;
    float scale;
    unsigned int columns;
    int vocabulary;
    ms_cuda_fault *fault;
    unsigned int node;

    template <int W> __device__ void run(unsigned int i) const {
        unsigned int n = i / columns, c = i - n * columns;
        int id = index[n];
        if (id < 0 || id >= vocabulary) {
            if (c == 0) ms_report_fault(fault, node, id);
            return;
        }
        ms_store_pack<W>(y, i, ms_pack_scale(ms_load_pack<W>(table, (unsigned int)id * columns + c), scale));
    }
};

extern "C" ms_status ms_cuda_embed(const ms_cuda_call *call) {
    const ms_operand *table = &call->in[0], *y = &call->out[0];
    if (!y->data) return MS_OK;
    int64_t vocabulary = table->shape.dim[0], columns = table->shape.dim[1];
    *call->fault_limit = vocabulary;
    embed_op op = {(const float *)table->data,
                   (const int *)call->in[1].data,
                   (float *)y->data,
                   call->attributes->embed.scale,
                   (unsigned int)columns,
                   (int)vocabulary,
                   call->fault,
                   call->node};
    const int width = embed_op::WIDTH;
    return ms_run_elementwise(call, op, y->count, ms_is_packs(table, columns, width) && ms_is_packs(y, columns, width));
}

extern "C" size_t ms_cuda_embed_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
