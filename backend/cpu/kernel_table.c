/* The kernels of one copy by op, for backend/cpu/cpu_level.c. */
#include "backend/cpu/cpu_kernel.h"

static const ms_cpu_conversion conversion = {sizeof(real), MS_KERNEL(widen), MS_KERNEL(narrow)};

#define ENTRY(lower)                                                                                                   \
    { MS_KERNEL(lower), MS_WORKSPACE(lower), &conversion }

#ifdef MS_REAL_IS_FAST
const ms_cpu_kernel_entry MS_KERNEL(table)[MS_OP_COUNT] = {
#define X(upper, lower) [MS_OP_##upper] = ENTRY(lower),
    MS_CPU_FAST_OPS(X)
#undef X
};
#else
/* A primitive or free op without a kernel does not link; composites never reach a program. */
#define ENTRY_PRIMITIVE(lower) ENTRY(lower)
#define ENTRY_ELEMENTWISE(lower) ENTRY(lower)
#define ENTRY_FREE(lower) ENTRY(lower)
#define ENTRY_COMPOSITE(lower)                                                                                         \
    { NULL, NULL, NULL }
const ms_cpu_kernel_entry MS_KERNEL(table)[MS_OP_COUNT] = {
#define OP(upper, lower, kind, ...) ENTRY_##kind(lower),
#include "backend/ir/ops.def"
#undef OP
};
#endif
