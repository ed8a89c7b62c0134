/* What a CPU kernel is: one call per node.  Kernels neither allocate nor touch globals; scratch is in the workspace.

   One source serves several precisions and processors (see backend/cpu/CMakeLists.txt): with MS_REAL = float it is
   compiled as `exact`, once for each level of the processor, and with MS_REAL = double as the f64 oracle.
   MS_KERNEL_PREFIX tells the copies apart: MS_KERNEL(rms_norm) names ms_cpu_exact_v3_rms_norm or ms_cpu_f64_rms_norm.
   Kernels of `fast` numerics stand in files of their own (<op>_fast.c) or are the exact source compiled again with
   MS_REAL_IS_FAST and contraction to FMA; an op without one uses its exact kernel.  Nobody but kernel_table.c names a
   kernel. */
#ifndef MS_BACKEND_CPU_CPU_KERNEL_H
#define MS_BACKEND_CPU_CPU_KERNEL_H

#include "backend/call_list.h"
#include "platform/thread.h"

/* A call of the program's list, and what the device adds.  Data of operands are at multiples of 64 bytes unless it is a
   view of a variable. */
typedef struct ms_cpu_call {
    ms_op op;
    const ms_attributes *attributes;
    const ms_operand *in;     /* [MS_MAX_INPUTS] */
    const ms_operand *out;    /* [MS_MAX_OUTPUTS], may be the storage of an input where ops.def says ALIAS */
    const ms_gemm *gemm;      /* of matmul and gram */
    const void *step_scalars; /* MS_REAL values, NULL when the graph has none */
    void *workspace;          /* 64-byte aligned, of the size that the op's workspace function asked for */
    ms_pool *pool;            /* team to share the work; a result must not depend on its size in `exact` */
} ms_cpu_call;

/* The call with everything but step scalars and workspace; borrows both. */
static inline ms_cpu_call ms_cpu_call_of(const ms_op_call *call, ms_pool *pool) {
    ms_cpu_call made = {call->op, &call->attributes, call->in, call->out, &call->gemm, NULL, NULL, pool};
    return made;
}

typedef ms_status (*ms_cpu_kernel)(const ms_cpu_call *call);
/* Bytes of scratch for a call; operands' data is not set yet, shapes and the pool's size are. */
typedef size_t (*ms_cpu_workspace)(const ms_cpu_call *call);

/* Between bf16 storage and the precision of a kernel (backend/cpu/widen.c), shared among the pool's threads. */
typedef struct ms_cpu_conversion {
    size_t real_bytes;                                                            /* 4, the oracle's: 8 */
    void (*widen)(ms_pool *pool, const uint16_t *x, int64_t count, void *out_y);  /* y = x */
    void (*narrow)(ms_pool *pool, const void *x, int64_t count, uint16_t *out_y); /* rounded once, to nearest even */
} ms_cpu_conversion;

/* A kernel with what is needed to call it. */
typedef struct ms_cpu_kernel_entry {
    ms_cpu_kernel run; /* NULL: a composite op, which has none, or one whose exact kernel serves `fast` */
    ms_cpu_workspace workspace;
    const ms_cpu_conversion *conversion;
} ms_cpu_kernel_entry;

#ifdef MS_REAL
#define MS_KERNEL_PASTE(prefix, name) prefix##name
#define MS_KERNEL_NAME(prefix, name) MS_KERNEL_PASTE(prefix, name)
#define MS_KERNEL(name) MS_KERNEL_NAME(MS_KERNEL_PREFIX, name)
#define MS_WORKSPACE(name) MS_KERNEL(name##_workspace)
typedef MS_REAL real;

static inline real ms_coefficient_value(const ms_cpu_call *call, ms_coefficient coefficient) {
    real value = (real)coefficient.constant;
    if (coefficient.scalar >= 0) value = value * ((const real *)call->step_scalars)[coefficient.scalar];
    return value;
}

/* Declarations of the kernels of this copy, from the one table of ops. */
#define OP(upper, lower, ...)                                                                                          \
    ms_status MS_KERNEL(lower)(const ms_cpu_call *call);                                                               \
    size_t MS_WORKSPACE(lower)(const ms_cpu_call *call);
#include "backend/ir/ops.def"
#undef OP

void MS_KERNEL(widen)(ms_pool *pool, const uint16_t *x, int64_t count, void *out_y);
void MS_KERNEL(narrow)(ms_pool *pool, const void *x, int64_t count, uint16_t *out_y);

extern const ms_cpu_kernel_entry MS_KERNEL(table)[MS_OP_COUNT];
#endif

/* The ops that have a kernel of their own in `fast` numerics. */
#define MS_CPU_FAST_OPS(X)                                                                                             \
    X(MATMUL, matmul)                                                                                                  \
    X(GRAM, gram)                                                                                                      \
    X(ATTENTION, attention)                                                                                            \
    X(ATTENTION_GRAD, attention_grad)                                                                                  \
    X(ATTENTION_LOGIT_MAX, attention_logit_max)                                                                        \
    X(CACHED_ATTENTION, cached_attention)

#endif
