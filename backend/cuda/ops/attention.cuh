// What the kernels of attention and attention_grad share: geometry, addresses of heads, which kernels serve a node.
#ifndef MS_BACKEND_CUDA_ATTENTION_CUH
#define MS_BACKEND_CUDA_ATTENTION_CUH

#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/ops/quad.cuh"

struct ms_cuda_attention_shape {
    unsigned int batch, sequence, heads, kv_heads, head_size;
    float scale;
    bool vector; // rows of a head are quads (quad.cuh) at aligned addresses
    bool packs;  // rows of a head are whole 16 bytes at aligned addresses
};

// Rows of one head of one sequence: number d of row i is data[i * stride + d].
template <class T> struct ms_cuda_head {
    T *data;
    unsigned int stride;
};

// One head of a tensor [batch * sequence, heads, head_size].
template <class T>
static __device__ __forceinline__ ms_cuda_head<T>
ms_head_of(T *data, const ms_cuda_attention_shape &shape, unsigned int heads, unsigned int batch, unsigned int head) {
    return {data + (batch * shape.sequence * heads + head) * shape.head_size, heads * shape.head_size};
}

static inline ms_cuda_attention_shape ms_cuda_attention_shape_of(const ms_cuda_call *call) {
    const ms_attention_attributes *a = &call->attributes->attention;
    ms_cuda_attention_shape shape;
    shape.batch = (unsigned int)a->batch;
    shape.sequence = (unsigned int)a->sequence;
    shape.heads = (unsigned int)a->heads;
    shape.kv_heads = (unsigned int)a->kv_heads;
    shape.head_size = (unsigned int)a->head_size;
    shape.scale = a->scale;
    shape.vector = true;
    shape.packs = true;
    int64_t per_pack = 16 / (int64_t)ms_dtype_size(call->in[0].dtype);
    for (int i = 0; i < MS_MAX_INPUTS + MS_MAX_OUTPUTS; i++) {
        const ms_operand *operand = i < MS_MAX_INPUTS ? &call->in[i] : &call->out[i - MS_MAX_INPUTS];
        if (operand->dtype != call->in[0].dtype || operand->count % a->head_size != 0) continue;
        if (!ms_takes_quads(operand, a->head_size)) shape.vector = false;
        if (a->head_size % per_pack != 0 || (uintptr_t)operand->data % 16 != 0) shape.packs = false;
    }
    return shape;
}

// Bit for bit backend/cpu/attention.c and attention_grad.c; delta [batch * heads, sequence]: the product of each row of
// do and o by the reduction rule.
ms_status ms_cuda_exact_attention(const ms_cuda_call *call);
ms_status ms_cuda_exact_attention_grad(const ms_cuda_call *call, const float *delta);

// Tensor cores.  `takes`: whether head size and shared memory allow them; if not, the exact kernels serve.
bool ms_cuda_fast_attention_takes(const ms_cuda_call *call);
ms_status ms_cuda_fast_attention(const ms_cuda_call *call);
bool ms_cuda_fast_attention_grad_takes(const ms_cuda_call *call);
ms_status ms_cuda_fast_attention_grad(const ms_cuda_call *call, const float *delta);

#endif
