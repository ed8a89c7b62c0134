/* What a CPU kernel is: one call per node.  Kernels neither allocate nor touch globals; scratch is in the workspace.

   One source serves two precisions: it is compiled with MS_REAL = float as `exact` and with MS_REAL = double as the f64
   oracle (see backend/cpu/CMakeLists.txt), and MS_KERNEL(rms_norm) names ms_cpu_exact_rms_norm or ms_cpu_f64_rms_norm.
   Kernels of `fast` numerics stand in files of their own (<op>_fast.c); an op without one uses its exact kernel. */
#ifndef MS_BACKEND_CPU_CPU_KERNEL_H
#define MS_BACKEND_CPU_CPU_KERNEL_H

#include "backend/call_list.h"
#include "platform/thread.h"

/* A call of the program's list, and what the device adds.  Data of operands are at multiples of 64 bytes unless it is a
   view of a variable. */
typedef struct ms_cpu_call {
    ms_op op;
    const ms_attributes *attributes;
    const ms_operand *in;             /* [MS_MAX_INPUTS] */
    const ms_operand *out;            /* [MS_MAX_OUTPUTS], may be the storage of an input where ops.def says ALIAS */
    const ms_matrix_product *product; /* of matmul and gram */
    const void *step_scalars;         /* MS_REAL values, NULL when the graph has none */
    void *workspace;                  /* 64-byte aligned, of the size that the op's workspace function asked for */
    ms_pool *pool;                    /* team to share the work; a result must not depend on its size in `exact` */
} ms_cpu_call;

/* The call with everything but step scalars and workspace; borrows both. */
static inline ms_cpu_call ms_cpu_call_of(const ms_op_call *call, ms_pool *pool) {
    ms_cpu_call made = {call->op, &call->attributes, call->in, call->out, &call->product, NULL, NULL, pool};
    return made;
}

typedef ms_status (*ms_cpu_kernel)(const ms_cpu_call *call);
/* Bytes of scratch for a call; operands' data is not set yet, shapes and the pool's size are. */
typedef size_t (*ms_cpu_workspace)(const ms_cpu_call *call);

#ifdef MS_REAL
#ifdef MS_REAL_IS_DOUBLE
#define MS_KERNEL(name) ms_cpu_f64_##name
#define MS_WORKSPACE(name) ms_cpu_f64_##name##_workspace
#elif defined(MS_REAL_IS_FAST) /* sources that also make `fast` kernels: compiled a third time, with FMA contraction   \
                                */
#define MS_KERNEL(name) ms_cpu_fast_##name
#define MS_WORKSPACE(name) ms_cpu_fast_##name##_workspace
#else
#define MS_KERNEL(name) ms_cpu_exact_##name
#define MS_WORKSPACE(name) ms_cpu_exact_##name##_workspace
#endif
typedef MS_REAL real;

static inline real ms_coefficient_value(const ms_cpu_call *call, ms_coefficient coefficient) {
    real value = (real)coefficient.constant;
    if (coefficient.scalar >= 0) value = value * ((const real *)call->step_scalars)[coefficient.scalar];
    return value;
}
#endif

/* Declarations of all kernels, from the one table of ops. */
#define OP(upper, lower, ...)                                                                                          \
    ms_status ms_cpu_exact_##lower(const ms_cpu_call *call);                                                           \
    size_t ms_cpu_exact_##lower##_workspace(const ms_cpu_call *call);                                                  \
    ms_status ms_cpu_f64_##lower(const ms_cpu_call *call);                                                             \
    size_t ms_cpu_f64_##lower##_workspace(const ms_cpu_call *call);
#include "backend/ir/ops.def"
#undef OP

/* The ops that have a kernel of their own in `fast` numerics. */
#define MS_CPU_FAST_OPS(X) X(MATMUL, matmul) X(GRAM, gram) X(ATTENTION, attention) X(ATTENTION_GRAD, attention_grad)
#define X(upper, lower)                                                                                                \
    ms_status ms_cpu_fast_##lower(const ms_cpu_call *call);                                                            \
    size_t ms_cpu_fast_##lower##_workspace(const ms_cpu_call *call);
MS_CPU_FAST_OPS(X)
#undef X

#endif
