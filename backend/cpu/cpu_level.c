#include "backend/cpu/cpu_level.h"

#include <stdio.h>
#include <string.h>

#include "platform/environment.h"

/* One row a level, the narrowest first: its part of the kernels' names, its name.  CMakeLists.txt has the same list.
   The compiler's test of a level looks at what the operating system saves of the registers, too. */
#if defined(MS_CPU_LEVELS_X86_64)
#define LEVELS(X) X(v2, "x86-64-v2") X(v3, "x86-64-v3") X(v4, "x86-64-v4")
#define CAN_RUN(name) __builtin_cpu_supports(name)
#elif defined(MS_CPU_LEVEL_NATIVE)
#define LEVELS(X) X(native, "native")
#define CAN_RUN(name) true
#else
#define LEVELS(X) X(baseline, "baseline")
#define CAN_RUN(name) true
#endif

extern const ms_cpu_kernel_entry ms_cpu_f64_table[MS_OP_COUNT];
#define X(part, name)                                                                                                  \
    extern const ms_cpu_kernel_entry ms_cpu_exact_##part##_table[MS_OP_COUNT];                                         \
    extern const ms_cpu_kernel_entry ms_cpu_fast_##part##_table[MS_OP_COUNT];
LEVELS(X)
#undef X

static const ms_cpu_level levels[] = {
#define X(part, name) {name, ms_cpu_exact_##part##_table, ms_cpu_fast_##part##_table, ms_cpu_f64_table},
    LEVELS(X)
#undef X
};
enum { N_LEVELS = sizeof levels / sizeof *levels };

int ms_cpu_level_list(const ms_cpu_level **out, int capacity) {
    const bool can_run[N_LEVELS] = {
#define X(part, name) CAN_RUN(name),
        LEVELS(X)
#undef X
    };
    int n = 0;
    for (int i = 0; i < N_LEVELS; i++) {
        if (!can_run[i]) continue;
        if (n < capacity) out[n] = &levels[i];
        n++;
    }
    return n;
}

ms_status ms_cpu_level_choose(const ms_cpu_level **out) {
    *out = NULL;
    const ms_cpu_level *usable[N_LEVELS];
    int n = ms_cpu_level_list(usable, N_LEVELS);
    if (n == 0)
        return MS_FAIL(MS_UNSUPPORTED, "this program's kernels need %s, which this processor does not have",
                       levels[0].name);
    const char *wanted = ms_environment_text(MS_ENVIRONMENT_CPU_LEVEL);
    if (!wanted) {
        *out = usable[n - 1];
        return MS_OK;
    }
    char list[80] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(wanted, usable[i]->name) == 0) *out = usable[i];
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", usable[i]->name);
    }
    if (*out) return MS_OK;
    return MS_FAIL(MS_UNSUPPORTED,
                   "MUONSCOPE_CPU_LEVEL is \"%.40s\": this program has kernels for this processor at %s", wanted, list);
}

ms_cpu_kernel_entry ms_cpu_kernel_find(const ms_cpu_level *level, ms_numerics numerics, ms_op op) {
    if (numerics == MS_NUMERICS_ORACLE) return level->oracle[op];
    if (numerics == MS_NUMERICS_FAST && level->fast[op].run) return level->fast[op];
    return level->exact[op];
}
