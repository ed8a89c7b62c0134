/* What an op is on CUDA: a function in <op>.cu that launches the kernels of one node on a stream, and one that says how
   much scratch it needs.  It runs first by itself, then while a program is captured into a CUDA graph: it must not
   wait, allocate or copy to the host.

   Kernel functions return MS_UNSUPPORTED for what they cannot do, with the numbers; they never change precision. */
#ifndef MS_BACKEND_CUDA_CUDA_KERNEL_H
#define MS_BACKEND_CUDA_CUDA_KERNEL_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "backend/backend.h"
#include "backend/call_list.h"
#include "backend/cuda/cuda_limits.h"
#include "backend/cuda/cuda_status.h"

/* Where a kernel reports bad data (an index out of range), in host memory that the device can write. */
typedef struct ms_cuda_fault {
    unsigned int node; /* 0: none; else the node's number on the device + 1 */
    int value;
} ms_cuda_fault;

typedef struct ms_cuda_blas ms_cuda_blas; /* cuBLASLt handle, workspace and chosen algorithms: cuda_blas.h */

/* A call of the program's list, and what the device adds.  Data of operands are device addresses, at multiples of 64
   bytes unless it is a view of a variable; an operand has fewer than 2^31 elements. */
typedef struct ms_cuda_call {
    ms_op op;
    const ms_attributes *attributes;
    const ms_operand *in;      /* [MS_MAX_INPUTS] */
    const ms_operand *out;     /* [MS_MAX_OUTPUTS], may be the storage of an input where ops.def says ALIAS */
    const ms_gemm *gemm;       /* of matmul and gram */
    const float *step_scalars; /* device address, NULL when the graph has none */
    void *workspace;           /* device address, 256-byte aligned; what the workspace function asked for */
    ms_numerics numerics;      /* MS_NUMERICS_EXACT or MS_NUMERICS_FAST */
    cudaStream_t stream;
    const ms_cuda_limits *limits;
    ms_cuda_blas *blas;
    ms_cuda_fault *fault; /* device address */
    unsigned int node;    /* what to report there */
    int64_t *fault_limit; /* host: the kernel function leaves the limit that values stay below, for the message */
} ms_cuda_call;

typedef ms_status (*ms_cuda_kernel)(const ms_cuda_call *call);
/* Bytes of scratch; operands' data and the stream are not set yet. */
typedef size_t (*ms_cuda_workspace)(const ms_cuda_call *call);

#define OP(upper, lower, ...)                                                                                          \
    ms_status ms_cuda_##lower(const ms_cuda_call *call);                                                               \
    size_t ms_cuda_##lower##_workspace(const ms_cuda_call *call);
#include "backend/ir/ops.def"
#undef OP

/* After a launch: MS_OK, or its error with the op's name and the shapes of its operands. */
ms_status ms_cuda_launched(const ms_cuda_call *call);

#ifdef __cplusplus
}
#endif
#endif
