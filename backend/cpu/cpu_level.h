/* Levels of the processor that the kernels are compiled for.  `exact` has the same bits on all; `fast` may differ,
   since x86-64-v2 has no FMA and tiles are as wide as the vectors. */
#ifndef MS_BACKEND_CPU_CPU_LEVEL_H
#define MS_BACKEND_CPU_CPU_LEVEL_H

#include "backend/backend.h"
#include "backend/cpu/cpu_kernel.h"

typedef struct ms_cpu_level {
    const char *name; /* "x86-64-v3"; "native" when built with MS_NATIVE; "baseline" on other architectures */
    const ms_cpu_kernel_entry *exact, *fast, *oracle; /* [MS_OP_COUNT] */
} ms_cpu_level;

/* The levels of this build that processor and operating system can run, the narrowest first: fills out up to capacity,
   returns how many there are.  Thread-safe. */
int ms_cpu_level_list(const ms_cpu_level **out, int capacity);

/* The widest of them, or the one that the environment variable MUONSCOPE_CPU_LEVEL names.  Static.  MS_UNSUPPORTED:
   there is none, or not that one; the message lists them.  Thread-safe. */
ms_status ms_cpu_level_choose(const ms_cpu_level **out);

/* The kernel of an op in a kind of numerics.  Thread-safe. */
ms_cpu_kernel_entry ms_cpu_kernel_find(const ms_cpu_level *level, ms_numerics numerics, ms_op op);

#endif
